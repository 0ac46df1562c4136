"""``python -m stellar``, the same as the command ``stellar``."""

from .cli import main

main()
