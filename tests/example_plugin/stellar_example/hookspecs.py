"""A hook that this plugin offers to others."""

from stellar.extend import hookspec


@hookspec
def example_greeting(name):
    """Another way to greet ``name``."""
