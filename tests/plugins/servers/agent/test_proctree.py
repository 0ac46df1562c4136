"""What the processes of a server use, as /proc has it."""

from __future__ import annotations

import os
import subprocess
import time

from stellar.plugins.servers.agent.proctree import Usage

KEEPER = ["/bin/sh", "-c", "exec 3<&0; cat <&3 & echo ready; wait"]
"""Has one process below it, until its input ends."""


def test_what_has_just_begun_is_counted_at_once() -> None:
    Usage(time.time()).measure(os.getpid())
    with subprocess.Popen(KEEPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n"
        count = Usage(time.time()).measure(keeper.pid)[2]
        keeper.stdin.close()
    assert count == 1
