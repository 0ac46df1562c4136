"""Names of container images; pure, used on nodes too."""

from __future__ import annotations

import re

MAX_LENGTH = 255
_PART = r"[A-Za-z0-9]+(?:(?:\.|_{1,2}|-+)[A-Za-z0-9]+)*"
_NAME = re.compile(
    rf"{_PART}(?::[0-9]{{1,5}}(?=/))?(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)


def valid_image(name: str) -> bool:
    """Whether it is the name of an image such as ``ghcr.io/someone/java:21``: no option, no path, no address."""
    return len(name) <= MAX_LENGTH and _NAME.fullmatch(name) is not None
