"""API keys: ``stk_<id>_<secret>``, of which only the secret's hash is kept. A key is its owner, within its scopes."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from .. import audit
from ..db import Compiled, Param, after_commit, filled, now, write_tx
from ..errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from . import permissions, roles, users
from .models import Key, User
from .permissions import Actor

PREFIX = "stk_"
KEYS_PER_USER = 25
NOTE_SECONDS = 60.0
"""The last use of a key is written at most this often per process."""

NOTED_KEPT = 10_000

_TOKEN = re.compile(r"stk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_noted: OrderedDict[str, float] = OrderedDict()


class KeyView(msgspec.Struct):
    """A key without its secret; ``last_used_at`` may be a minute behind. No ``addresses``: from anywhere."""

    id: str
    name: str
    scopes: list[str]
    addresses: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str

    __example__: ClassVar[dict[str, Any]] = {
        "name": "backup script",
        "scopes": ["servers.read", "control.restart"],
        "last_used_from": "203.0.113.7",
    }


class NewKey(KeyView):
    """``token`` is shown this once."""

    token: str = ""

    __example__: ClassVar[dict[str, Any]] = {"token": "stk_0f1e2d3c_Zk3vT8qLw2Xn5Rb7"}


def create(
    actor: Actor, name: str, scopes: Iterable[str], expires_at: datetime | None, addresses: Iterable[str]
) -> NewKey:
    """Make a key of one's own; ``Invalid`` names the field, ``Forbidden`` a scope that one can't have oneself."""
    assert actor.user_id is not None
    listed, networks = _scopes(actor, scopes), _networks(addresses)
    if expires_at is not None and (expires_at.tzinfo is None or not now() < expires_at < now() + timedelta(days=3650)):
        text = "The expiry needs a time zone, lies in the future, and within ten years."
        raise Invalid(text, fields={"expires_at": text})
    secret = secrets.token_urlsafe(32)
    with write_tx():
        users.lock(actor.user_id)
        if Key.select().where(Key.user == actor.user_id).count() >= KEYS_PER_USER:
            raise Conflict(f"You have {KEYS_PER_USER} keys; revoke one first.", code="key_limit")
        key = Key.create(
            id=secrets.token_hex(8),
            user=actor.user_id,
            name=users.normal_name(name),
            secret_hash=_hash(secret),
            scopes=listed,
            networks=networks,
            expires_at=expires_at,
        )
        details = {"name": key.name, "scopes": listed, "addresses": networks}
        audit.record(actor, "key.create", target_type="key", target_id=key.id, details=details)
    return NewKey(**msgspec.structs.asdict(_view(key)), token=f"{PREFIX}{key.id}_{secret}")


def list_for(user_id: str) -> list[KeyView]:
    """A user's keys, the newest first; expired ones too."""
    return [_view(key) for key in Key.select().where(Key.user == user_id).order_by(Key.created_at.desc(), Key.id)]


def revoke(actor: Actor, key_id: str) -> None:
    """Delete one of one's own keys; from now on it opens nothing."""
    with write_tx():
        if not Key.delete().where((Key.id == key_id) & (Key.user == actor.user_id)).execute():
            raise NotFound("You have no such key.")
        audit.record(actor, "key.revoke", target_type="key", target_id=key_id)
        user_id = actor.user_id or ""
        after_commit(lambda: roles.announce(user_id))


def actor_of(token: str, address: str, request_id: str) -> Actor:
    """Who a key's request comes from: its owner as they are now, bound by the key's scopes.

    ``Unauthenticated`` for a key that is unknown, wrong, revoked or expired; ``Forbidden`` from an address that it
    isn't for, or while its owner is suspended.
    """
    match = _TOKEN.fullmatch(token)
    found = None if match is None else _with_owner.first(id=match[1])
    if match is None or found is None or not hmac.compare_digest(found[0].secret_hash, _hash(match[2])):
        raise _bad()
    return _admit(*found, address, request_id)


def actor_again(key_id: str, address: str, request_id: str) -> Actor:
    """``actor_of`` for a key that has been admitted before; raises like it."""
    found = _with_owner.first(id=key_id)
    if found is None:
        raise _bad()
    return _admit(*found, address, request_id)


def _admit(row: Key, user: User, address: str, request_id: str) -> Actor:
    if row.expires_at is not None and row.expires_at <= now():
        raise Unauthenticated("This API key has expired; make a new one.", code="key_expired")
    if user.suspended_at is not None:
        raise Forbidden("This account is suspended; ask an administrator.", code="suspended")
    if row.networks and not _within(address, row.networks):
        raise Forbidden("This API key may not be used from this address.", code="key_address")
    _note(row.id, address)
    owner = roles.actor_of_user(user, kind="key")
    scopes = frozenset(row.scopes)
    return msgspec.structs.replace(owner, scopes=scopes, key_id=row.id, address=address, request_id=request_id)


def _bad() -> Unauthenticated:
    return Unauthenticated("This API key is not valid (any more).", code="bad_key")


def _note(key_id: str, address: str) -> None:
    clock = time.monotonic()
    last = _noted.get(key_id)
    if last is not None and clock - last < NOTE_SECONDS:
        return
    _noted[key_id] = clock
    _noted.move_to_end(key_id)
    while len(_noted) > NOTED_KEPT:
        _noted.popitem(last=False)
    Key.update(used_at=now(), used_from=address[:45]).where(Key.id == key_id).execute()


def _scopes(actor: Actor, scopes: Iterable[str]) -> list[str]:
    listed = sorted(set(scopes))
    if not listed:
        raise Invalid("A key needs at least one scope.", fields={"scopes": "is empty"})
    for scope in listed:
        if not permissions.exists(scope):
            raise Invalid(f"There is no action {scope!r}.", fields={"scopes": f"there is no action {scope!r}"})
        if not permissions.may_try(actor, scope):
            raise Forbidden(f"You may not do {scope} yourself.", code="beyond_own", fields={"scopes": scope})
    return listed


def _networks(addresses: Iterable[str]) -> list[str]:
    found: list[str] = []
    for address in addresses:
        try:
            found.append(str(_plain(ipaddress.ip_network(address.strip()))))
        except ValueError:
            text = f"{address!r} is not an address or network such as 192.0.2.7 or 2001:db8::/32."
            raise Invalid(text, fields={"addresses": text}) from None
    return sorted(set(found))


def _plain(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Addresses of IPv4 that are written as IPv6 as what they are, since callers' are."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return network if mapped is None else ipaddress.IPv4Network((mapped, network.prefixlen - 96))


def _within(address: str, networks: Iterable[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in ipaddress.ip_network(network) for network in networks)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _view(key: Key) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=key.scopes,
        addresses=key.networks,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.used_at,
        last_used_from=key.used_from,
    )


_KEY, _USER = Key._meta.sorted_fields, User._meta.sorted_fields
_with_owner = Compiled(
    lambda: Key.select(*_KEY, *_USER).join(User).where(Key.id == Param("id")),
    lambda *row: (filled(Key, row[: len(_KEY)]), filled(User, row[len(_KEY) :])),
)
