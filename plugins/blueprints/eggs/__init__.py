"""Eggs: the game-server templates of Pterodactyl (PTDL_v1, v2) and Pelican (PLCN_v1 to v3), in and out."""
