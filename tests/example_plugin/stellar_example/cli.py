"""``stellar example``."""

import click


@click.command()
@click.argument("name", default="world")
def example(name):
    """Greet NAME."""
    click.echo(f"Hello, {name}!")
