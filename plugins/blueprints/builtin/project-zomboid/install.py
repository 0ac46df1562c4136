#!/usr/bin/env python3
"""Project Zomboid's dedicated server from Steam."""

from stellar_install.steam import install_app

install_app(380870)
