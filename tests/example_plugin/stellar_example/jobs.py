"""Jobs: they call services."""

from stellar.auth.permissions import SYSTEM

from . import service


def greet(name):
    """Greet in the worker."""
    service.greet(SYSTEM, name)
