"""The configuration section of the files plugin."""

from __future__ import annotations

from typing import Annotated

import msgspec


class FilesSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[files]``: ``max_upload_mb`` bounds one uploaded file."""

    max_upload_mb: Annotated[int, msgspec.Meta(ge=1)] = 1024
