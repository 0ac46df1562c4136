"""What protects a node from its servers, in words: on the nodes page and in ``stellar agent --check``."""

from __future__ import annotations

LABELS = {
    "sandbox": "Sandbox: a server sees only its own files and processes",
    "own_uid": "A system user of its own for each server",
    "files": "Other files are out of a server's reach",
    "processes": "Other processes are out of a server's reach",
    "syscalls": "Dangerous system calls and new namespaces are refused",
    "sockets": "Other programs' abstract sockets are out of a server's reach",
    "network": "A network of its own for each server",
    "memory": "Memory limits",
    "swap": "Swap limits",
    "oom": "Choice to wait when the memory is full",
    "cpu": "CPU limits",
    "cpuset": "Pinning to processors",
    "pids": "Limits on the number of processes",
    "io": "Shares of disk traffic",
    "disk": "Disk limits held by the file system",
}
