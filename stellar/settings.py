"""Settings that administrators change while the panel runs: registered keys, typed values in the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
import peewee

from . import audit
from .auth.permissions import Actor
from .commands.meant import did_you_mean
from .config import AuthSettings, Config
from .db import JSONField, Model, UTCDateTimeField, now, write_tx
from .errors import Invalid, NotFound
from .extend.registry import Setting

OPEN_REGISTRATION = "auth.open_registration"
HIDDEN = "********"
"""Shown for a secret that is set; sent back, it changes nothing."""


class StoredSetting(Model):
    """A value that differs from its default."""

    key = peewee.CharField(max_length=100, primary_key=True)
    value = JSONField()
    updated_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "core_setting"


MODELS: list[type[Model]] = [StoredSetting]

_declared: dict[str, Setting] = {}


class SettingView(msgspec.Struct):
    """A setting as administrators see it; of a ``secret`` one only whether it is set (``HIDDEN``) or not (None)."""

    key: str
    value: Any
    default: Any
    description: str
    plugin: str
    secret: bool = False

    __example__: ClassVar[dict[str, Any]] = {
        "key": OPEN_REGISTRATION,
        "value": True,
        "default": False,
        "description": "Let anybody make an account",
        "plugin": "core",
    }


def configure(declared: Iterable[Setting], config: Config) -> None:
    """Set which settings exist, besides the core's."""
    _declared.clear()
    auth = config.section(AuthSettings)
    core = Setting("core", OPEN_REGISTRATION, bool, auth.open_registration, "Let anybody make an account")
    _declared.update({setting.key: setting for setting in (core, *declared)})


def get(key: str) -> Any:
    """The value of a setting, or its default; ``LookupError`` for a key that nobody has declared."""
    setting = _declared[key]
    stored = StoredSetting.get_or_none(StoredSetting.key == key)
    if stored is None:
        return setting.default
    try:
        return msgspec.convert(stored.value, setting.type)
    except msgspec.ValidationError:
        return setting.default


def listing() -> list[SettingView]:
    """Every setting with its value."""
    stored = {row.key: row.value for row in StoredSetting.select()}
    return [_view(setting, stored.get(key, setting.default)) for key, setting in sorted(_declared.items())]


def find(key: str) -> Setting:
    """The declaration of a setting; ``NotFound``."""
    setting = _declared.get(key)
    if setting is None:
        raise NotFound(f"There is no setting {key}. {did_you_mean(key, _declared)}".rstrip())
    return setting


def read(setting: Setting, text: str) -> Any:
    """A value that somebody has typed: text where the setting takes it, else JSON. ``put`` refuses what is neither."""
    try:
        return msgspec.convert(text, setting.type)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def put(actor: Actor, key: str, value: Any) -> None:
    """Change a setting; needs ``settings.manage``. ``Invalid`` for a value of the wrong type."""
    actor.require("settings.manage")
    setting = find(key)
    if setting.secret and value == HIDDEN:
        return
    try:
        checked = msgspec.convert(value, setting.type)
    except msgspec.ValidationError as error:
        raise Invalid(f"{key}: {error}.", fields={key: str(error)}) from None
    with write_tx():
        values = {"value": checked, "updated_at": now()}
        stored = StoredSetting.insert(key=key, **values)
        stored.on_conflict(conflict_target=[StoredSetting.key], update=values).execute()
        details = {"value": _shown(setting, checked)}
        audit.record(actor, "settings.change", target_type="setting", target_id=key, details=details)


def _view(setting: Setting, value: Any) -> SettingView:
    shown, default = _shown(setting, value), _shown(setting, setting.default)
    return SettingView(setting.key, shown, default, setting.description, setting.plugin, setting.secret)


def _shown(setting: Setting, value: Any) -> Any:
    if not setting.secret:
        return value
    return HIDDEN if value else None
