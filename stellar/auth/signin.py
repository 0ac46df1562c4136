"""Beginning a session: sign-in, sign-up and set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import audit, db, mail, settings
from ..errors import DomainError, Forbidden, Invalid, Unauthenticated
from . import lockout, passkeys, passwords, second, sessions, setup, signups, users
from .models import User
from .passkeys import Place
from .permissions import Actor
from .schemas import SecondSignIn, Setup, SignUp
from .second import SecondStep
from .sessions import NewSession, Session
from .signups import Pending

if TYPE_CHECKING:
    from ..config import Config


async def sign_in(actor: Actor, email: str, password: str, user_agent: str) -> NewSession | SecondStep:
    """Begin a session with e-mail address and password, or the second step where the account has two factors.

    Raises ``Unauthenticated`` (after the same time whether or not there is such an account), ``Forbidden`` for a
    suspended account, ``RateLimited`` after too many attempts.
    """
    address = users.fold_email(email)
    await lockout.attempt(actor.address, address)
    user = await db.call(users.by_email, address)
    if not await passwords.verify_async(user.password_hash if user else None, password) or user is None:
        await db.call(audit.record, actor, "auth.signin_failed", details={"email": address})
        raise Unauthenticated("The e-mail address or the password is wrong.", code="bad_credentials")
    await lockout.succeeded(actor.address, address)
    if passwords.outdated(user.password_hash):
        user = await db.call(_rehash, user, await passwords.hash_async(password))
    if methods := await db.call(_second_methods, user.id):
        return await second.begin(actor, user, methods)
    return await db.call(_begin, actor, user, "auth.signin", user_agent)


async def sign_in_second(actor: Actor, wanted: SecondSignIn, place: Place, user_agent: str) -> NewSession:
    """Begin the session whose first step a token remembers; ``Unauthenticated``, ``RateLimited``."""
    proof = wanted.code if wanted.credential is None else wanted.credential
    if proof is None:
        text = "Give the code of your authenticator app, or a passkey."
        raise Invalid(text, fields={"code": text})
    user = await second.finish(actor, wanted.token, proof, place)
    return await db.call(_begin, actor, user, "auth.signin", user_agent)


async def sign_in_passkey(
    actor: Actor, token: str, credential: dict[str, Any], place: Place, user_agent: str
) -> NewSession:
    """Begin a session with nothing but a passkey, which proves its owner by itself; ``Unauthenticated``."""
    user_id = await db.call(passkeys.prove, credential, passkeys.first_key(token), place)
    if user_id is None:
        raise Unauthenticated("This passkey is not known here.", code="bad_credentials")
    return await db.call(_begin, actor, await db.call(users.get, user_id), "auth.signin", user_agent)


async def sign_in_elsewhere(actor: Actor, user: User, user_agent: str) -> NewSession | SecondStep:
    """Begin a session for who has signed in with a linked account, or the second step where there are two factors."""
    if methods := await db.call(_second_methods, user.id):
        return await second.begin(actor, user, methods)
    return await db.call(_begin, actor, user, "auth.signin", user_agent)


async def sign_up(actor: Actor, config: Config, wanted: SignUp, user_agent: str) -> NewSession | None:
    """Make an account for oneself and begin its first session; ``Forbidden`` unless registration is open.

    None where the panel sends mail: ``finish_sign_up`` makes the account, with the token of a link.
    """
    await _require_open()
    checked = users.normal_email(wanted.email)
    shown = _name(wanted.name, checked)
    passwords.check_new(wanted.password, checked)
    password_hash = await passwords.hash_async(wanted.password)
    if mail.enabled(config):
        await signups.ask(actor, Pending(checked, shown, password_hash, wanted.next))
        return None
    user = await db.call(users.insert, checked, password_hash, shown, "user")
    return await db.call(_begin, actor, user, "auth.signup", user_agent)


async def finish_sign_up(actor: Actor, token: str, user_agent: str) -> NewSession:
    """Make the account of a mailed link and begin its first session; ``NotFound`` for a link that isn't valid."""
    await _require_open()
    return await db.call(_begin, actor, await db.call(signups.finish, token), "auth.signup", user_agent)


async def set_up(actor: Actor, wanted: Setup, user_agent: str) -> NewSession:
    """Make the first account through the set-up link and begin its first session."""
    await db.call(setup.check, wanted.token)
    checked = users.normal_email(wanted.email)
    shown = _name(wanted.name, checked)
    passwords.check_new(wanted.password, checked)
    user = await db.call(setup.finish, wanted.token, checked, await passwords.hash_async(wanted.password), shown)
    return await db.call(_begin, actor, user, "auth.setup", user_agent)


async def change_password(actor: Actor, session: Session, current: str, new: str) -> NewSession:
    """Change one's own password; ends one's other sessions, and replaces this one."""
    user = await check_password(actor, current, "current")
    passwords.check_new(new, user.email)
    await db.call(users.set_password, user.id, await passwords.hash_async(new), session.id)
    return await db.call(replace, session)


def replace(session: Session) -> NewSession:
    """A session with another token in the place of one whose owner has just proven who they are.

    Whoever has copied the earlier token is out.
    """
    begun = _open(users.get(session.user_id), session.address, session.user_agent, session.csrf_token)
    sessions.end(session.user_id, session.id)
    return begun


async def check_password(actor: Actor, password: str, field: str) -> User:
    """The actor's own account, after their password; ``Forbidden`` for a wrong one, which counts as a guess."""
    assert actor.user_id is not None
    user = await db.call(users.get, actor.user_id)
    await lockout.attempt(actor.address, user.email)
    if not await passwords.verify_async(user.password_hash, password):
        text = "This is not your password."
        raise Forbidden(text, code="bad_credentials", fields={field: text})
    await lockout.succeeded(actor.address, user.email)
    return user


async def _require_open() -> None:
    if not await db.call(settings.get, settings.OPEN_REGISTRATION):
        text = "Nobody can register here by themselves; ask an administrator for an account."
        raise Forbidden(text, code="registration_closed")


def _second_methods(user_id: str) -> list[str]:
    return second.methods_of(_not_suspended(user_id).id)


def _begin(actor: Actor, user: User, action: str, user_agent: str) -> NewSession:
    begun = _open(user, actor.address, user_agent)
    who = Actor(user_id=user.id, name=user.name, email=user.email, address=actor.address, request_id=actor.request_id)
    audit.record(who, action, target_type="user", target_id=user.id)
    return begun


def _open(user: User, address: str, user_agent: str, csrf_token: str | None = None) -> NewSession:
    """A session of an account that has proven itself as it was in ``user``."""
    begun = sessions.create(_not_suspended(user.id), address, user_agent, csrf_token=csrf_token)
    try:
        # Read again: what has changed in between has reached only the sessions that it knew of.
        now = _not_suspended(user.id)
        if now.password_hash != user.password_hash:
            raise _changed()
        if now.role != begun.session.role:
            sessions.refresh(user.id)
    except DomainError:
        sessions.end(user.id, begun.session.id)
        raise
    return begun


def _changed() -> Unauthenticated:
    return Unauthenticated("The password has just been changed; sign in again.", code="bad_credentials")


def _not_suspended(user_id: str) -> User:
    user = users.get(user_id)
    if user.suspended_at is not None:
        raise Forbidden("This account is suspended; ask an administrator.", code="suspended")
    return user


def _rehash(user: User, password_hash: str) -> User:
    unchanged = (User.id == user.id) & (User.password_hash == user.password_hash)
    if not User.update(password_hash=password_hash).where(unchanged).execute():
        raise _changed()
    user.password_hash = password_hash
    return user


def _name(name: str, email: str) -> str:
    return users.normal_name(name or email.split("@", 1)[0])
