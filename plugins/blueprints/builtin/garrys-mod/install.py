#!/usr/bin/env python3
"""Garry's Mod from Steam."""

from stellar_install.steam import install_app

install_app(4020, keep=["garrysmod/cfg/*.cfg", "garrysmod/data/*"])
