"""Processes that must not outlive the one that started them."""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process (SIGKILL) when its parent, the process ``parent``, dies; Linux only.

    It survives ``exec`` but isn't inherited by children. Call it right after the fork.
    """
    if sys.platform != "linux":
        return
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def prctl(option: int, argument: int) -> None:
    """prctl(2); errors are ignored, as nothing that needs it can do without."""
    import ctypes

    ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
