"""The database: one handle per process, a base model, threads to call sync services in, write transactions."""

from .fields import IdField, JSONField, UTCDateTimeField, now
from .handle import Model, after_commit, connect, database, disconnect, is_postgres, write_tx
from .threads import call

__all__ = [
    "IdField",
    "JSONField",
    "Model",
    "UTCDateTimeField",
    "after_commit",
    "call",
    "connect",
    "database",
    "disconnect",
    "is_postgres",
    "now",
    "write_tx",
]
