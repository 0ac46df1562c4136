"""Passkeys (WebAuthn): instead of the password, or instead of a code in the second step."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import urlsplit

import msgspec
import peewee

from .. import audit
from ..bus import connections, sync
from ..db import now, write_tx
from ..errors import Conflict, Invalid, NotFound
from . import users, ways
from .models import Passkey
from .permissions import Actor

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    from ..http.request import Request

SECONDS = 300
MAX_PASSKEYS = 20

log = logging.getLogger(__name__)


class Place(msgspec.Struct, frozen=True):
    """Where a passkey is valid: the host that it is bound to, and the origin of the panel's pages."""

    rp_id: str
    origin: str


class PasskeyView(msgspec.Struct):
    """A passkey."""

    id: str
    name: str
    created_at: datetime
    used_at: datetime | None

    __example__: ClassVar[dict[str, Any]] = {"name": "Phone"}


def place_of(req: Request) -> Place:
    """The panel's public address, or without one the address that the browser uses."""
    public = req.config.web.public_url or f"{'https' if req.is_https else 'http'}://{req.get_header('Host') or ''}"
    try:
        parts = urlsplit(public)
        return Place(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        raise Invalid("The Host header is not an address.") from None


def list_for(user_id: str) -> list[PasskeyView]:
    """A user's passkeys, the oldest first."""
    return [_view(row) for row in _rows(user_id)]


def registration_options(user_id: str, session_id: str, place: Place) -> dict[str, Any]:
    """What a browser needs to make a passkey; it is kept for five minutes."""
    import webauthn  # 13 MB, for those who use passkeys
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    user = users.get(user_id)
    options = webauthn.generate_registration_options(
        rp_id=place.rp_id,
        rp_name="Stellar",
        user_name=user.email,
        user_id=user.id.encode(),
        user_display_name=user.name,
        exclude_credentials=_descriptors(user_id),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    _keep(f"register:{session_id}", options.challenge)
    return _json(options)


def register(actor: Actor, user_id: str, name: str, credential: dict[str, Any], place: Place) -> PasskeyView:
    """Take over a passkey that a browser has made; ``Invalid`` when it isn't what was asked for."""
    import webauthn

    challenge = _take(f"register:{actor.session_id}")
    if challenge is None:
        raise Conflict("This has taken too long; begin again.", code="passkey_expired")
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except Exception as error:  # what a caller made up may break the parser anywhere
        raise Invalid("This is not the passkey that was asked for.", code="bad_passkey") from error
    with write_tx():
        users.get(user_id)
        users.lock(user_id)
        if len(_rows(user_id)) >= MAX_PASSKEYS:
            raise Conflict(f"An account may have {MAX_PASSKEYS} passkeys; delete one first.", code="too_many")
        row = _insert(user_id, users.normal_name(name), made)
        audit.record(actor, "auth.passkey_added", target_type="user", target_id=user_id, details={"name": row.name})
    return _view(row)


def rename(user_id: str, passkey_id: str, name: str) -> PasskeyView:
    """Rename one of a user's passkeys; ``NotFound``."""
    row = _own(user_id, passkey_id)
    row.name = users.normal_name(name)
    row.save(only=[Passkey.name])
    return _view(row)


def delete(actor: Actor, user_id: str, passkey_id: str) -> None:
    """Delete one of a user's passkeys; ``NotFound``."""
    with write_tx():
        row = _own(user_id, passkey_id)
        row.delete_instance()
        ways.require_one(user_id)
        audit.record(actor, "auth.passkey_deleted", target_type="user", target_id=user_id, details={"name": row.name})


def first_options(place: Place) -> tuple[str, dict[str, Any]]:
    """A token and what a browser needs to sign in with a passkey alone."""
    token = secrets.token_urlsafe(32)
    return token, _options(first_key(token), place, None)


def second_options(user_id: str, step: str, place: Place) -> dict[str, Any]:
    """What a browser needs to prove one of a user's passkeys in a second step."""
    return _options(step, place, _descriptors(user_id))


def first_key(token: str) -> str:
    """Under which the challenge of ``first_options`` is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def prove(credential: dict[str, Any], key: str, place: Place) -> str | None:
    """Whose passkey answered the challenge kept under ``key``, which it uses up; None when nobody's did."""
    import webauthn
    from webauthn.helpers import base64url_to_bytes

    challenge = _take(key)
    wanted = credential.get("id")
    row = Passkey.get_or_none(Passkey.credential_id == wanted) if isinstance(wanted, str) else None
    if challenge is None or row is None:
        return None
    try:
        proven = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
            credential_public_key=base64url_to_bytes(row.public_key),
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # what a caller made up may break the parser anywhere
        log.info("a passkey was refused: %s", error)
        return None
    unchanged = (Passkey.id == row.id) & (Passkey.sign_count == row.sign_count)
    changed = Passkey.update(sign_count=proven.new_sign_count, used_at=now()).where(unchanged).execute()
    return str(row.user_id) if changed else None


def _options(key: str, place: Place, allowed: list[PublicKeyCredentialDescriptor] | None) -> dict[str, Any]:
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=place.rp_id, allow_credentials=allowed, user_verification=UserVerificationRequirement.REQUIRED
    )
    _keep(key, options.challenge)
    return _json(options)


def _insert(user_id: str, name: str, made: Any) -> Passkey:
    from webauthn.helpers import bytes_to_base64url

    credential_id = bytes_to_base64url(made.credential_id)
    if Passkey.select().where(Passkey.credential_id == credential_id).exists():
        raise Conflict("This passkey is registered already.", code="passkey_known")
    try:
        return Passkey.create(
            user=user_id,
            credential_id=credential_id,
            public_key=bytes_to_base64url(made.credential_public_key),
            sign_count=made.sign_count,
            name=name,
        )
    except peewee.IntegrityError:
        raise Conflict("This passkey is registered already.", code="passkey_known") from None


def _own(user_id: str, passkey_id: str) -> Passkey:
    row: Passkey | None = Passkey.get_or_none((Passkey.id == passkey_id) & (Passkey.user == user_id))
    if row is None:
        raise NotFound("There is no such passkey.")
    return row


def _rows(user_id: str) -> list[Passkey]:
    return list(Passkey.select().where(Passkey.user == user_id).order_by(Passkey.created_at))


def _descriptors(user_id: str) -> list[PublicKeyCredentialDescriptor]:
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(row.credential_id)) for row in _rows(user_id)]


def _view(row: Passkey) -> PasskeyView:
    return PasskeyView(row.id, row.name, row.created_at, row.used_at)


def _json(options: Any) -> dict[str, Any]:
    import webauthn

    return cast("dict[str, Any]", json.loads(webauthn.options_to_json(options)))


def _keep(key: str, challenge: bytes) -> None:
    try:
        sync.client().set(f"passkey:{key}", challenge, ex=SECONDS)
    except connections.Gone:
        raise connections.away() from None


def _take(key: str) -> bytes | None:
    try:
        return cast("bytes | None", sync.client().getdel(f"passkey:{key}"))
    except connections.Gone:
        raise connections.away() from None
