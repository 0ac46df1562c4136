"""Command groups that say what somebody may have meant."""

from __future__ import annotations

import click

from .meant import did_you_mean


class Group(click.Group):
    """A group that answers an unknown command with those that are like it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; ``UsageError`` with suggestions."""
        named = bool(args) and not args[0].startswith("-") and not ctx.resilient_parsing
        if named and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(self._unknown(ctx, args[0]), ctx)
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, name: str) -> str:
        there_are = self.list_commands(ctx)
        hint = did_you_mean(name, there_are) or f"There are {', '.join(there_are)}."
        return f"There is no command {name!r}. {hint}"
