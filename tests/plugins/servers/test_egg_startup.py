"""The command that a node gets of a blueprint that was an egg."""

from __future__ import annotations

import subprocess

from egg_parts import egg, variable

from stellar.plugins.blueprints.eggs.convert import convert
from stellar.plugins.blueprints.render import environment, startup_line
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.spec import Limits
from stellar.plugins.servers.specs import chosen_startup


def test_bash_runs_it_with_the_values_in_its_environment() -> None:
    commands = {"Default": "[[ -n {{A}} ]] && printf '%s|' {{A}} \"it's {{A}}\"", "Other": "printf {{A}}"}
    document = convert(egg(startup_commands=commands, variables=[variable("A")])).loaded.blueprint
    values = environment({"A": "x $(touch bad)"}, [], Limits())
    for chosen, printed in (("", "x|$(touch|bad)|it's x $(touch bad)|"), ("Other", "x")):
        line = startup_line(chosen_startup(Server(startup=chosen), document), document.startup.shell, values)
        done = subprocess.run(
            ["/bin/sh", "-c", line], env={**values, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
        )
        assert done.stdout == printed
