"""Typed settings: defaults, overridden by the TOML file, overridden by ``STELLAR_*`` environment variables.

The file is ``<data>/config.toml`` unless ``STELLAR_CONFIG`` names another. The key ``port`` of the section
``[web]`` is the variable ``STELLAR_WEB_PORT``. Every key is documented in config.example.toml.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from .errors import SetupError

S = TypeVar("S", bound=msgspec.Struct)

PLAIN_PATH = re.compile(r"[!-<>-~]+")
"""No blank, ``=`` or letter beyond ASCII: redis-py can't read the CLIENT INFO of a Valkey on another path."""

SOCKET_PATH_LIMIT = 107
"""Bytes that fit into ``sockaddr_un.sun_path`` with its final NUL (unix(7))."""


Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""0 is any free port."""


class WebSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the panel listens and how it is reached."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    trusted_proxies: list[str] = []
    max_body_kb: int = 1024


class DatabaseSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An empty ``url`` is SQLite in the data directory; 0 threads is a good number for the database."""

    url: str = ""
    threads: int = 0


class RedisSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An empty ``url`` is the embedded Valkey that ``stellar run`` starts."""

    url: str = ""


class AuthSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Accounts and sessions."""

    open_registration: bool = False
    session_days: int = 30


class MailSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"sender": "from"}):
    """The SMTP server that mail goes out through; without a ``host`` the panel sends none."""

    host: str = ""
    port: Port = 587
    username: str = ""
    password: str = ""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = ""


class ProviderSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An application registered at a service; without a ``client_id`` the service isn't offered."""

    client_id: str = ""
    client_secret: str = ""


class OpenIdSettings(ProviderSettings, forbid_unknown_fields=True, frozen=True):
    """Any OpenID Connect provider, by its ``issuer``."""

    issuer: str = ""
    label: str = ""


class OAuthSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Services that people can sign in with."""

    oidc: OpenIdSettings = OpenIdSettings()
    google: ProviderSettings = ProviderSettings()
    github: ProviderSettings = ProviderSettings()
    discord: ProviderSettings = ProviderSettings()


class ThemeSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The look of the pages."""

    name: str = "nova"


class LogSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``level`` is a name of the logging module."""

    level: str = "INFO"


CORE_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "web": WebSettings,
    "database": DatabaseSettings,
    "redis": RedisSettings,
    "auth": AuthSettings,
    "mail": MailSettings,
    "oauth": OAuthSettings,
    "theme": ThemeSettings,
    "log": LogSettings,
}


class Config:
    """All settings of one installation; a plugin gets its own section by ``section(Type)``."""

    def __init__(self, data: Path, document: Mapping[str, Any], environment: Mapping[str, str], source: str) -> None:
        self.data = data
        self.source = source
        self._document = document
        self._environment = environment
        self._sections: dict[type[msgspec.Struct], msgspec.Struct] = {}
        self._names: dict[str, type[msgspec.Struct]] = {}
        for name, type_ in CORE_SECTIONS.items():
            self.register(name, type_)

    def register(self, name: str, type_: type[msgspec.Struct]) -> None:
        """Read the section ``[name]`` as ``type_``; a ``SetupError`` names the key that is wrong."""
        if name in self._names:
            raise SetupError(f"Two plugins want the configuration section [{name}].")
        self._sections[type_] = self._read(name, type_, self._document.get(name, {}))
        self._names[name] = type_

    def replace(self, settings: msgspec.Struct) -> None:
        """Put ``settings`` in the place of the section of its type (a command's own options)."""
        self._sections[type(settings)] = settings

    def section(self, type_: type[S]) -> S:
        """The settings of a registered section."""
        found = self._sections[type_]
        assert isinstance(found, type_)
        return found

    def sections(self) -> dict[str, msgspec.Struct]:
        """Every section by name."""
        return {name: self._sections[type_] for name, type_ in self._names.items()}

    def refuse_unknown_sections(self, disabled: frozenset[str] = frozenset()) -> None:
        """Raise ``SetupError`` for a section that nothing has registered, those of disabled plugins aside."""
        for name in self._document:
            if name not in self._names and name not in disabled:
                known = ", ".join(sorted(self._names))
                raise SetupError(f"{self.source}: there is no section [{name}]; the sections are {known}.")

    @property
    def web(self) -> WebSettings:
        """``[web]``."""
        return self.section(WebSettings)

    @property
    def database_url(self) -> str:
        """``sqlite:///…`` or ``postgresql://…``."""
        return self.section(DatabaseSettings).url or f"sqlite://{quote(str(self.data / 'stellar.db'))}"

    @property
    def redis_embedded(self) -> bool:
        """Whether ``stellar run`` brings its own Valkey."""
        return not self.section(RedisSettings).url

    @property
    def redis_url(self) -> str:
        """Where Redis is; for the embedded one, its unix socket."""
        return self.section(RedisSettings).url or f"unix://{quote(str(self.socket_path('valkey.sock')))}"

    @property
    def public_url(self) -> str:
        """The address that people and nodes use, without a final slash."""
        return self.web.public_url.rstrip("/") or self.local_url

    @property
    def local_url(self) -> str:
        """The address at which this machine itself reaches the panel."""
        host = "127.0.0.1" if self.web.host in ("", "0.0.0.0", "::") else self.web.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.web.port}"

    def remember_address(self) -> None:
        """Note where the panel listens, for commands that are run beside it."""
        self._address_file.write_bytes(msgspec.json.encode({"host": self.web.host, "port": self.web.port}))

    def recall_address(self) -> None:
        """Take over where the panel listens, or did last, if that has been noted."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            noted = msgspec.json.decode(self._address_file.read_bytes(), type=WebSettings)
            self.replace(msgspec.structs.replace(self.web, host=noted.host, port=noted.port))

    @property
    def _address_file(self) -> Path:
        return self.data / "run" / "address.json"

    def socket_path(self, name: str) -> Path:
        """A path for a unix socket, below the data directory where that is short and plain enough."""
        wanted = self.data / "run" / name
        if len(os.fsencode(wanted)) <= SOCKET_PATH_LIMIT and PLAIN_PATH.fullmatch(str(wanted)):
            return wanted
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"stellar-{os.getuid()}-{digest}" / name

    def secret(self) -> bytes:
        """32 random bytes that only this installation knows, made at the first call (0600)."""
        path = self.data / "secret.key"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return _create_secret(path)

    def _read(self, name: str, type_: type[S], values: object) -> S:
        """A section, or the table in one that has a dotted ``name``."""
        if not isinstance(values, dict):
            raise SetupError(f"{self.source}: [{name}] has to be a section, not a value.")
        fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
        for key in values:
            if key not in fields:
                raise SetupError(f"{self.source}: [{name}] has no key {key!r}; its keys are {', '.join(fields)}.")
        self._refuse_unknown_variables(name, fields)
        read: dict[str, Any] = {}
        for key, field in fields.items():
            if _is_table(field):
                read[field.name] = self._read(f"{name}.{key}", field.type, values.get(key, {}))
                continue
            if key in values:
                read[field.name] = _convert(f"{self.source}: {name}.{key}", values[key], field)
            variable = _variable(name, key)
            if variable in self._environment:
                read[field.name] = _convert(
                    variable, _from_text(self._environment[variable], field), field, strict=False
                )
        return type_(**read)

    def _refuse_unknown_variables(self, name: str, fields: Mapping[str, msgspec.structs.FieldInfo]) -> None:
        known = {_variable(name, key) for key in fields}
        tables = tuple(_variable(name, key) + "_" for key, field in fields.items() if _is_table(field))
        for variable in self._environment:
            if variable.startswith(_variable(name, "")) and variable not in known and not variable.startswith(tables):
                raise SetupError(f"{variable}: [{name}] has no such key; its keys are {', '.join(fields)}.")


def load_config(data: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the settings of the installation in ``data`` (else ``STELLAR_DATA``, else the user's data directory).

    Raises ``SetupError`` for a file that can't be read or parsed.
    """
    environment = os.environ if environment is None else environment
    directory = (data or _default_data(environment)).expanduser().absolute()
    named = environment.get("STELLAR_CONFIG")
    path = Path(named).expanduser() if named else directory / "config.toml"
    return Config(directory, _parse(path, required=bool(named)), environment, str(path))


def prepare_data(config: Config) -> None:
    """Make the data directory (0700); ``SetupError`` when it can't be made or written."""
    try:
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (config.data / "run", config.socket_path("any").parent):
            directory.mkdir(exist_ok=True, mode=0o700)
            if directory.stat().st_uid != os.getuid():
                raise SetupError(f"{directory} belongs to another user; remove it, or choose another --data directory.")
        with tempfile.TemporaryFile(dir=config.data):
            pass
        config.secret()
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(
            f"The data directory {config.data} can't be used ({reason}); choose another with --data."
        ) from None


def _default_data(environment: Mapping[str, str]) -> Path:
    if named := environment.get("STELLAR_DATA"):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("stellar")


def _parse(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise SetupError(f"The configuration file {path} (STELLAR_CONFIG) does not exist.") from None
        return {}
    except OSError as error:
        raise SetupError(f"The configuration file {path} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"The configuration file {path} is not valid TOML: {error}.") from None


def _variable(section: str, key: str) -> str:
    return f"STELLAR_{section}_{key}".replace(".", "_").upper()


def _is_table(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)


def _from_text(text: str, field: msgspec.structs.FieldInfo) -> Any:
    if field.type == list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _convert(where: str, value: Any, field: msgspec.structs.FieldInfo, *, strict: bool = True) -> Any:
    try:
        return msgspec.convert(value, field.type, strict=strict)
    except msgspec.ValidationError as error:
        raise SetupError(f"{where}: {error}.") from None


def _create_secret(path: Path) -> bytes:
    temporary = path.with_name(f".secret.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()
