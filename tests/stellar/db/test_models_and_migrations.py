"""Models and migrated schema agree, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from playhouse.schema_diff import diff_models

from stellar import audit, settings
from stellar.auth import models as auth_models
from stellar.config import load_config, prepare_data
from stellar.db import database
from stellar.db.migrate import pending
from stellar.panel import Panel, boot


@pytest.fixture
def panel(tmp_path: Path, database_url: str, redis_url: str) -> Panel:
    config = load_config(tmp_path, {"STELLAR_DATABASE_URL": database_url, "STELLAR_REDIS_URL": redis_url})
    prepare_data(config)
    panel = boot("migrate", config=config)
    panel.open()
    return panel


def test_models_and_migrations_agree(panel: Panel) -> None:
    panel.migrate()
    models = [*auth_models.MODELS, *audit.MODELS, *settings.MODELS, *panel.registry.models]
    assert len(models) > 8
    difference = diff_models(database.obj, models)
    assert not difference, str(difference)
    panel.stop()


def test_migrating_again_does_nothing(panel: Panel) -> None:
    applied = panel.migrate()
    assert applied["core"] and applied["servers"]
    assert not pending(panel.migrations())
    assert not any(panel.migrate().values())
    panel.stop()


def test_pending_migrations_are_named(panel: Panel) -> None:
    assert "0001_initial" in pending(panel.migrations())["servers"]
    panel.stop()
