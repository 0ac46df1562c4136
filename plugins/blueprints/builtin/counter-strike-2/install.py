#!/usr/bin/env python3
"""Counter-Strike 2 from Steam; the server is part of the game."""

from stellar_install.steam import install_app

install_app(730, keep=["game/csgo/cfg/*.cfg", "game/csgo/gameinfo.gi"])
