#!/usr/bin/env python3
"""The owner's program, and its packages from npm."""

from pathlib import Path

from stellar_install import apps
from stellar_install.console import say

packages = apps.packages()
apps.fetch_source()
if Path("package.json").exists():
    apps.run(["npm", "install", "--no-audit", "--no-fund", "--no-progress"], "Its packages can't be installed")
if packages:
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-progress", "--no-save", "--", *packages]
    apps.run(command, "The packages can't be installed")
say("The program is ready.")
