#!/usr/bin/env python3
"""Team Fortress 2 from Steam."""

from stellar_install.steam import install_app

install_app(232250, keep=["tf/cfg/*.cfg", "tf/cfg/*.txt"])
