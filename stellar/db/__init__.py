"""The database: one handle per process, a base model, threads to call sync services in, write transactions."""

from .compiled import Compiled, Param, filled
from .fields import IdField, JSONField, UTCDateTimeField, now
from .handle import Model, after_commit, connect, database, disconnect, is_away, is_postgres, write_tx
from .threads import call, read

__all__ = [
    "Compiled",
    "IdField",
    "JSONField",
    "Model",
    "Param",
    "UTCDateTimeField",
    "after_commit",
    "call",
    "connect",
    "database",
    "disconnect",
    "filled",
    "is_away",
    "is_postgres",
    "now",
    "read",
    "write_tx",
]
