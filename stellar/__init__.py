"""Stellar, the game-server hosting panel: the core, which knows nothing about game servers."""

__version__ = "0.1.0"
API_VERSION = "1.0"
