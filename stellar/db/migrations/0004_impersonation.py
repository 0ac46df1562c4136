"""Who acted as somebody else, in the audit log."""

from __future__ import annotations

from typing import Any

COLUMNS = (("impersonator_id", "VARCHAR(36)"), ("impersonator_name", "VARCHAR(254)"))


def up(migrator: Any, db: Any) -> None:
    """Add the columns as they are: SQLite would copy the table otherwise."""
    for column, kind in COLUMNS:
        db.execute_sql(f"ALTER TABLE audit_entry ADD COLUMN {column} {kind}")
    db.execute_sql("CREATE INDEX entry_impersonator_id ON audit_entry (impersonator_id)")


def down(migrator: Any, db: Any) -> None:
    """Undo it."""
    db.execute_sql("DROP INDEX entry_impersonator_id")
    for column, _ in COLUMNS:
        db.execute_sql(f"ALTER TABLE audit_entry DROP COLUMN {column}")
