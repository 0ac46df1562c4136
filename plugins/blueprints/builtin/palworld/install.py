#!/usr/bin/env python3
"""Palworld's dedicated server from Steam."""

from stellar_install.steam import install_app

install_app(2394010)
