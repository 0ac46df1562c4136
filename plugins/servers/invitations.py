"""Invitations: one-time links to a membership, each bound to an e-mail address."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import msgspec
import peewee

from stellar import audit, jobs, mail, panel
from stellar.auth import roles, users
from stellar.auth.models import User
from stellar.auth.permissions import Actor
from stellar.db import after_commit, now, write_tx
from stellar.errors import Conflict, Forbidden, NotFound

from . import members
from .member_schemas import InvitationView, Joined, MadeInvitation, NewInvitation
from .models import Invitation, Member, Server
from .service import get_server, locked

MAIL = "servers.mail_invitation"


def create(actor: Actor, ref: str, wanted: NewInvitation) -> MadeInvitation:
    """Offer a membership to whoever has this address, now or later; an earlier unused offer stops working."""
    email = users.normal_email(wanted.email)
    if actor.user_id is None:
        raise Forbidden("An invitation comes from an account; sign in as one.")
    mailed = mail.enabled(panel.current().config)
    token = secrets.token_urlsafe(32)
    with write_tx():
        server = locked(actor, ref, "users.create")
        actions = members.actions_of(actor, server, wanted)
        _refuse_member(server, email)
        Invitation.delete().where((Invitation.email == email) & _unused(server.id)).execute()
        members.require_room(server)
        row = Invitation.create(
            server=server,
            email=email,
            actions=actions,
            token_hash=_hash(token),
            invited_by=actor.user_id,
            expires_at=now() + timedelta(hours=wanted.hours),
        )
        details = {"email": email, "actions": actions}
        audit.record(actor, "invitation.create", target_type="server", target_id=server.id, details=details)
        if mailed:
            after_commit(lambda: jobs.enqueue(MAIL, {"invitation_id": row.id}))
    view = msgspec.structs.asdict(_view(row, actor.name))
    return MadeInvitation(**view, mailed=mailed, url=None if mailed else link(token))


def list_waiting(actor: Actor, ref: str) -> list[InvitationView]:
    """A server's invitations that can still be accepted, the newest first."""
    server = get_server(actor, ref, "users.read")
    rows = (
        Invitation.select(Invitation, User)
        .join(User)
        .where(_unused(server.id) & (Invitation.expires_at > now()))
        .order_by(Invitation.created_at.desc(), Invitation.id)
    )
    return [_view(row, row.invited_by.name) for row in rows]


def withdraw(actor: Actor, ref: str, invitation_id: str) -> None:
    """Take an invitation back."""
    with write_tx():
        server = get_server(actor, ref, "users.delete")
        row = Invitation.get_or_none((Invitation.id == invitation_id) & _unused(server.id))
        if row is None:
            raise NotFound("The server has no such invitation.")
        members.require_held(actor, server, row.actions)
        row.delete_instance()
        details = {"email": row.email}
        audit.record(actor, "invitation.withdraw", target_type="server", target_id=server.id, details=details)


def accept(actor: Actor, token: str) -> Joined:
    """Become a member; ``NotFound`` for a link that is used, expired or withdrawn, ``Forbidden`` for another's.

    It gives only what its maker could still give now.
    """
    assert actor.user_id is not None
    with write_tx():
        row = _open(token)
        user = users.get(actor.user_id)
        if user.email != row.email:
            text = "This invitation is for another account; sign in with the address that it was made for."
            raise Forbidden(text, code="other_account")
        server = row.server
        _check_maker(row, server)
        if not Invitation.update(used_at=now()).where((Invitation.id == row.id) & _unused(server.id)).execute():
            raise _invalid()
        members.join(server, user, row.actions)
        details = {"user": user.id, "actions": row.actions, "invited_by": row.invited_by_id}
        audit.record(actor, "invitation.accept", target_type="server", target_id=server.id, details=details)
        after_commit(lambda: roles.announce(user.id))
    return Joined(server.id, server.name, row.actions)


def preview(token: str) -> tuple[str, str]:
    """The names of the server and of the account that a link's invitation comes from; ``NotFound``."""
    row = _open(token)
    return row.server.name, row.invited_by.name


def send(invitation_id: str) -> None:
    """Mail an invitation, with a new token: a job's arguments are no place for one.

    ``Conflict`` when its maker may not give that any more; nothing to do for one that is used, expired or withdrawn.
    """
    token = secrets.token_urlsafe(32)
    with write_tx():
        row = Invitation.get_or_none((Invitation.id == invitation_id) & Invitation.used_at.is_null())
        if row is None or row.expires_at <= now() or row.server.removing:
            return
        _check_maker(row, row.server)
        Invitation.update(token_hash=_hash(token)).where(Invitation.id == row.id).execute()
        inviter, server = row.invited_by.name, row.server.name
    text = (
        f"Hello,\n\n{inviter} invites you to the game server {server}:\n\n{link(token)}\n\nThe link works once, with "
        f"the account that has this e-mail address, until {row.expires_at:%Y-%m-%d %H:%M} UTC."
    )
    mail.send(panel.current().config, row.email, f"Invitation to {server} (Stellar)", text)


def link(token: str) -> str:
    """The address at which an invitation is accepted."""
    return f"{panel.current().config.public_url}/invitations?token={token}"


def _open(token: str) -> Invitation:
    found = Invitation.get_or_none((Invitation.token_hash == _hash(token)) & Invitation.used_at.is_null())
    if found is None or found.expires_at <= now() or found.server.removing:
        raise _invalid()
    assert isinstance(found, Invitation)
    return found


def _check_maker(row: Invitation, server: Server) -> None:
    maker = roles.actor_of_user(row.invited_by)
    suspended = row.invited_by.suspended_at is not None
    if suspended or not all(maker.allowed(action, server) for action in ("users.create", *row.actions)):
        text = "Whoever made this invitation may not give that any more; ask for a new one."
        raise Conflict(text, code="invitation_outdated")


def _refuse_member(server: Server, email: str) -> None:
    if User.select().where((User.id == server.owner_id) & (User.email == email)).exists():
        raise Conflict("This address is the owner's.", code="owner")
    joined = Member.select().join(User).where((Member.server == server.id) & (User.email == email))
    if joined.exists():
        raise Conflict("This address is a member's already.", code="already_member")


def _unused(server_id: str) -> peewee.Expression:
    return (Invitation.server == server_id) & Invitation.used_at.is_null()


def _invalid() -> NotFound:
    return NotFound("This invitation is not valid any more; ask for a new one.", code="link_invalid")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _view(row: Invitation, invited_by: str) -> InvitationView:
    return InvitationView(
        id=row.id,
        email=row.email,
        actions=row.actions,
        preset=members.preset_of(row.actions),
        invited_by=invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
