"""The command ``stellar``. Commands are imported only when they are used, so that ``--help`` is quick."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

import click

from . import __version__
from .commands.groups import Group

CORE_COMMANDS = {
    "run": ("stellar.commands.processes:run", "Start everything: the panel, its worker and the local node."),
    "web": ("stellar.commands.processes:web", "Start the web process alone."),
    "worker": ("stellar.commands.processes:worker", "Start the job worker alone."),
    "prepare": ("stellar.commands.processes:prepare", ""),
    "migrate": ("stellar.commands.maintenance:migrate", "Bring the database up to date."),
    "config": ("stellar.commands.configuration:config", "Show or check the configuration."),
    "completion": ("stellar.commands.completion:completion", "Print the completion script of a shell."),
    "jobs": ("stellar.jobs.cli:jobs", "List, retry, cancel and delete jobs."),
    "plugin": ("stellar.commands.maintenance:plugin", "Look at plugins."),
    "role": ("stellar.auth.role_cli:role", "List, show, create, change and delete roles."),
    "settings": ("stellar.commands.setting:settings", "List and change what can be set while the panel runs."),
    "user": ("stellar.auth.cli:user", "Create, list and change users."),
}
EXTENDED = frozenset({"user"})
"""Groups of the core to which plugins may add commands; the others don't wait for plugins to load."""


class LazyGroup(Group):
    """Commands by import path; those of plugins come from their ``register_commands``.

    A plugin's command whose name is two words, ``server console``, belongs to the group of the first, which is another
    plugin's or one of ``EXTENDED``.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return sorted(name for name in {*CORE_COMMANDS, *self.plugin_commands} if self._is_shown(name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        found = CORE_COMMANDS.get(cmd_name) or self.plugin_commands.get(cmd_name)
        if found is None:
            return None
        command = _imported(found[0])
        if (cmd_name not in CORE_COMMANDS or cmd_name in EXTENDED) and isinstance(command, click.Group):
            for name, (target, _) in self.plugin_commands.items():
                group, _, inner = name.partition(" ")
                if inner and group == cmd_name:
                    command.add_command(_imported(target), inner)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing the commands."""
        every = {**CORE_COMMANDS, **self.plugin_commands}
        rows = [(name, every[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _is_shown(self, name: str) -> bool:
        help = (CORE_COMMANDS.get(name) or self.plugin_commands[name])[1]
        return bool(help) and " " not in name

    @functools.cached_property
    def plugin_commands(self) -> dict[str, tuple[str, str]]:
        """Import path and help of each command that a plugin has registered."""
        return _plugin_commands()


def _imported(target: str) -> click.Command:
    module, attribute = target.split(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def _plugin_commands() -> dict[str, tuple[str, str]]:
    from .config import load_config
    from .errors import SetupError
    from .panel import load_plugins

    try:
        plugins = load_plugins(load_config(_data_argument()))
    except SetupError as error:
        click.echo(f"stellar: {error.message} (The commands of plugins are not available.)", err=True)
        return {}
    plugins.stage(["register_commands"])
    return {command.name: (command.target, command.help) for command in plugins.registry.commands}


def _data_argument() -> Path | None:
    """``--data`` as given anywhere on the command line: plugins in the data directory bring commands."""
    arguments = sys.argv[1:]
    for index, argument in enumerate(arguments):
        if argument.startswith("--data="):
            return Path(argument.removeprefix("--data="))
        if argument == "--data" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
    return None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stellar")
def stellar() -> None:
    """Stellar, the game-server hosting panel."""


def main() -> None:
    """Run a command; an error of the rules is one sentence and the exit code 1."""
    try:
        stellar.main(prog_name="stellar", complete_var="_STELLAR_COMPLETE")
    except Exception as error:
        from .commands.failures import tell

        if not tell(error):
            raise
        sys.exit(1)
