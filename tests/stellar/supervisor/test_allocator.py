"""The children's memory allocator gives back what a password's hash takes."""

from __future__ import annotations

import os
import subprocess
import sys

from stellar.supervisor.run import ALLOCATOR

HASH_TWICE = """
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stellar.auth.passwords import hash_password

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

pool = ThreadPoolExecutor(1)
pool.submit(resident).result()
before = resident()
for _ in range(2):
    pool.submit(hash_password, "a password").result()
print(resident() - before)
"""


def test_a_hash_leaves_no_memory_behind() -> None:
    command = [sys.executable, "-P", "-c", HASH_TWICE]
    done = subprocess.run(command, env={**os.environ, **ALLOCATOR}, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10_000_000
