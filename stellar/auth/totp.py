"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from typing import Any, ClassVar

import msgspec
import pyotp

from .. import audit
from ..db import now, write_tx
from ..errors import Conflict, Forbidden, NotFound
from . import roles, sessions, users
from .models import Authenticator, RecoveryCode
from .permissions import Actor
from .sealing import seal, unseal

STEP = 30
"""Seconds that a code lasts."""

DRIFT = 1
"""Steps that a device's clock may be off, in both directions."""

RECOVERY_CODES = 10
PURPOSE = "totp"


class Enrolment(msgspec.Struct):
    """What an authenticator app needs; ``qr`` is the ``url`` as an SVG image, in a data address."""

    secret: str
    url: str
    qr: str

    __example__: ClassVar[dict[str, Any]] = {
        "secret": "JBSWY3DPEHPK3PXP",
        "url": "otpauth://totp/Stellar:ada%40example.com?secret=JBSWY3DPEHPK3PXP",
        "qr": "data:image/svg+xml,%3Csvg%3E",
    }


class RecoveryCodes(msgspec.Struct):
    """Codes that each replace the authenticator once; never shown again."""

    codes: list[str]

    __example__: ClassVar[dict[str, Any]] = {"codes": ["3kx9-w2mq", "p7td-5hvn"]}


class SecondFactorView(msgspec.Struct):
    """Which second factors an account has."""

    totp: bool
    recovery_codes_left: int

    __example__: ClassVar[dict[str, Any]] = {"totp": True, "recovery_codes_left": 9}


def view(user_id: str) -> SecondFactorView:
    """Which second factors an account has."""
    unused = RecoveryCode.select().where((RecoveryCode.user == user_id) & RecoveryCode.used_at.is_null()).count()
    return SecondFactorView(is_on(user_id), unused)


def is_on(user_id: str) -> bool:
    """Whether signing in needs a code."""
    return _confirmed(user_id) is not None


def enrol(user_id: str) -> Enrolment:
    """A new secret, which counts once ``confirm`` has seen a code of it; ``Conflict`` when one is in force."""
    import segno

    user = users.get(user_id)
    secret = pyotp.random_base32()
    with write_tx():
        users.lock(user_id)
        if is_on(user_id):
            raise Conflict("Two-factor sign-in is on already; turn it off first.", code="second_factor_on")
        Authenticator.delete().where(Authenticator.user == user_id).execute()
        Authenticator.create(user=user_id, secret=seal(secret, PURPOSE))
    url = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name="Stellar")
    return Enrolment(secret, url, segno.make(url, error="m").svg_data_uri(scale=4, dark="#000", light="#fff"))


def confirm(actor: Actor, user_id: str, code: str) -> RecoveryCodes:
    """Turn two-factor sign-in on with a first code; ends the other sessions, and answers the recovery codes."""
    with write_tx():
        users.lock(user_id)
        waiting: Authenticator | None = Authenticator.get_or_none(Authenticator.user == user_id)
        if waiting is None or waiting.confirmed_at is not None:
            raise Conflict("There is no authenticator to confirm; begin again.", code="nothing_pending")
        if not _use_step(waiting, code):
            raise wrong_code()
        Authenticator.update(confirmed_at=now()).where(Authenticator.user == user_id).execute()
        codes = _new_codes(user_id)
        audit.record(actor, "auth.second_factor_on", target_type="user", target_id=user_id)
    sessions.end_all(user_id, actor.session_id)
    return codes


def disable(actor: Actor, user_id: str, code: str) -> None:
    """Turn two-factor sign-in off, with a code."""
    with write_tx():
        _require(user_id, code)
        _forget(user_id)
        audit.record(actor, "auth.second_factor_off", target_type="user", target_id=user_id)


def remove_for(actor: Actor, user_id: str) -> None:
    """Turn it off for somebody who has lost everything, as an administrator."""
    with write_tx():
        user = users.get(user_id)
        roles.refuse_own(actor, user)
        roles.require_over(actor, user)
        if not _forget(user_id):
            raise NotFound("This account has no second factor.")
        audit.record(actor, "user.second_factor_removed", target_type="user", target_id=user_id)


def renew_codes(actor: Actor, user_id: str, code: str) -> RecoveryCodes:
    """New recovery codes, with a code; the earlier ones stop working."""
    with write_tx():
        users.lock(user_id)
        _require(user_id, code)
        codes = _new_codes(user_id)
        audit.record(actor, "auth.recovery_codes", target_type="user", target_id=user_id)
    return codes


def use(user_id: str, code: str) -> str | None:
    """Use up a code: ``totp`` or ``recovery`` says what it was, None that it isn't (or no longer) valid.

    A time step counts once, and never again one that is older; the same is true when it comes twice at once.
    """
    device = _confirmed(user_id)
    if device is None:
        return None
    if _use_step(device, code):
        return "totp"
    return "recovery" if _use_recovery(user_id, code) else None


def wrong_code() -> Forbidden:
    """The error for a code that isn't valid."""
    text = "This code is not valid; wait for the next one."
    return Forbidden(text, code="bad_code", fields={"code": text})


def _require(user_id: str, code: str) -> None:
    if not is_on(user_id):
        raise Conflict("Two-factor sign-in is not on.", code="second_factor_off")
    if use(user_id, code) is None:
        raise wrong_code()


def _forget(user_id: str) -> bool:
    RecoveryCode.delete().where(RecoveryCode.user == user_id).execute()
    return bool(Authenticator.delete().where(Authenticator.user == user_id).execute())


def _confirmed(user_id: str) -> Authenticator | None:
    wanted = (Authenticator.user == user_id) & Authenticator.confirmed_at.is_null(False)
    found: Authenticator | None = Authenticator.get_or_none(wanted)
    return found


def _use_step(device: Authenticator, code: str) -> bool:
    given = re.sub(r"\s", "", code)
    secret = unseal(device.secret, PURPOSE)
    if secret is None or not re.fullmatch(r"[0-9]{6}", given):
        return False
    generator = pyotp.TOTP(secret)
    current = int(time.time()) // STEP
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(generator.generate_otp(step), given):
            newer = (Authenticator.user == device.user_id) & (Authenticator.last_step < step)
            return bool(Authenticator.update(last_step=step).where(newer).execute())
    return False


def _use_recovery(user_id: str, code: str) -> bool:
    wanted = (RecoveryCode.user == user_id) & (RecoveryCode.code_hash == _hash(code)) & RecoveryCode.used_at.is_null()
    return bool(RecoveryCode.update(used_at=now()).where(wanted).execute())


def _new_codes(user_id: str) -> RecoveryCodes:
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.delete().where(RecoveryCode.user == user_id).execute()
    for code in codes:
        RecoveryCode.create(user=user_id, code_hash=_hash(code))
    return RecoveryCodes(codes)


def _recovery_code() -> str:
    """80 random bits, which need no slow hash."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _hash(code: str) -> str:
    plain = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
