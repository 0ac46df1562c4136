#!/usr/bin/env python3
"""Satisfactory's dedicated server from Steam."""

from stellar_install.steam import install_app

install_app(1690800)
