"""Users, passwords, sessions and permissions."""

from .permissions import ANONYMOUS, SYSTEM, Actor

__all__ = ["ANONYMOUS", "SYSTEM", "Actor"]
