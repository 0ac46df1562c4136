#!/usr/bin/env python3
"""The owner's program, and its packages from PyPI in an environment of its own."""

import sys
from pathlib import Path

from stellar_install import apps
from stellar_install.console import say

packages = apps.packages()
apps.fetch_source()
python = ".venv/bin/python"
missing = "Python can't make an environment; on the node, run: apt-get install python3-venv"
apps.run([sys.executable, "-m", "venv", "--upgrade" if Path(python).exists() else "--clear", ".venv"], missing)
pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off"]
if Path("requirements.txt").exists():
    apps.run([*pip, "-r", "requirements.txt"], "Its packages can't be installed")
if packages:
    apps.run([*pip, *packages], "The packages can't be installed")
say("The program is ready.")
