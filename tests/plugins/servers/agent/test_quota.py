"""Project quotas on real file systems: in images mounted here, or where this kernel has none in User-Mode Linux."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from stellar.plugins.servers.agent import quota
from stellar.plugins.servers.agent.quota import Quotas

SCRIPT = Path(__file__).parents[3] / "quota_script.py"
MAKE = {"xfs": (["mkfs.xfs", "-q"], 320), "ext4": (["mkfs.ext4", "-q", "-O", "project,quota"], 64)}
INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
for name in quota_tree quota_v2; do
  busybox insmod /usr/lib/uml/modules/$(uname -r)/kernel/fs/quota/$name.ko
done
mount -t {kind} -o prjquota /dev/ubda /mnt && {python} {script} /mnt/servers
umount /mnt
busybox poweroff -f
"""


@pytest.fixture(params=MAKE)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty file system, in a file that is called as its kind."""
    command, megabytes = MAKE[request.param]
    if not shutil.which(command[0], path="/usr/sbin:/sbin:/usr/bin"):
        pytest.skip(f"optional: {command[0]} is missing")
    path = tmp_path / str(request.param)
    with path.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    subprocess.run([*command, path], check=True)
    return path


@pytest.mark.timeout(120)
def test_a_real_file_system_counts_and_refuses(image: Path, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("optional: mounting takes root")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    mount = ["mount", "-t", image.name, "-o", "loop,prjquota", image, mounted]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        assert "\nok\n" in in_another_kernel(image)
        return
    try:
        done = subprocess.run([sys.executable, SCRIPT, mounted / "servers"], check=True, capture_output=True, text=True)
        assert done.stdout == "ok\n"
    finally:
        subprocess.run(["umount", mounted], check=True)


def in_another_kernel(image: Path) -> str:
    """What the script prints in User-Mode Linux, whose root is this machine's."""
    if not (shutil.which("linux.uml") and shutil.which("busybox")):
        pytest.skip("optional: this kernel has no project quotas, and user-mode-linux or busybox is missing")
    init = image.with_name("init")
    init.write_text(INIT.format(kind=image.name, python=sys.executable, script=SCRIPT))
    init.chmod(0o755)
    root = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={init}"]
    command = ["linux.uml", "mem=256M", f"ubda={image}", *root, "con=null", "con0=fd:0,fd:1", "quiet"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False)
    return done.stdout.decode("utf-8", "replace").replace("\r", "")


def test_without_quotas_the_reason_is_said_and_nothing_is_counted(tmp_path: Path) -> None:
    """On the file system of the tests, which has none; on one that has, there is nothing to say."""
    quotas = Quotas(tmp_path / "servers")
    data = tmp_path / "servers" / "a" / "data"
    data.mkdir(parents=True)
    if not quotas.problem:
        pytest.skip("optional: the tests' own file system has project quotas")
    assert "prjquota" in quotas.problem
    assert quotas.used(data, 1) is None
    quotas.release(data)
    assert list((tmp_path / "servers").iterdir()) == [data.parent]


def test_the_structures_are_as_large_as_the_kernels() -> None:
    assert quota._ATTRIBUTES.size == 28
    assert quota._QUOTA.size == 72
    assert (_ioctl(2, 31, 28), _ioctl(1, 32, 28)) == (quota._GET_ATTRIBUTES, quota._SET_ATTRIBUTES)


def _ioctl(direction: int, number: int, size: int) -> int:
    """``_IOR`` (2) and ``_IOW`` (1) of the kernel's headers, for the letter X."""
    return int.from_bytes(struct.pack(">I", direction << 30 | size << 16 | ord("X") << 8 | number), "big")
