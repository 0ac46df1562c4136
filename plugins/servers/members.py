"""Members of servers: who else may do what on one. Nobody gives or takes what they don't hold themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import peewee

from stellar import audit
from stellar.auth import roles, users
from stellar.auth.models import User
from stellar.auth.permissions import Actor, is_server_action
from stellar.db import after_commit, write_tx
from stellar.errors import Conflict, Forbidden, Invalid, NotFound

from .member_schemas import Grant, MemberView, Person
from .models import Invitation, Member, Server
from .permissions import READ, holds, presets
from .service import get_server, locked

MAX_MEMBERS = 100
"""Of one server, invitations that wait included."""


def list_members(actor: Actor, ref: str) -> list[MemberView]:
    """Who may do what on a server, its owner first."""
    server = get_server(actor, ref, "users.read")
    everything = [action for preset in presets().values() for action in preset] + ["servers.delete"]
    owner = User.get_by_id(server.owner_id)
    first = MemberView(_person(owner), True, sorted(set(everything)), None, server.created_at)
    rows = (
        Member.select(Member, User)
        .join(User)
        .where((Member.server == server.id) & (Member.user != server.owner_id))
        .order_by(Member.created_at, Member.id)
    )
    return [first, *(view_of(row) for row in rows)]


def held(actor: Actor, ref: str) -> list[str]:
    """What ``actor`` may do on a server they may see."""
    return holds(actor, get_server(actor, ref, READ))


def is_member(actor: Actor, server_id: str) -> bool:
    """Whether ``actor`` could leave the server."""
    return Member.select().where((Member.server == server_id) & (Member.user == actor.user_id)).exists()


def add(actor: Actor, ref: str, email: str, grant: Grant) -> MemberView:
    """Make an existing account a member; ``Invalid`` when there is none with this address.

    Whoever has registered with it without having confirmed it needs an invitation: it may be somebody else's.
    """
    address = users.normal_email(email)
    with write_tx():
        server = locked(actor, ref, "users.create")
        actions = actions_of(actor, server, grant)
        user = users.by_email(address)
        if user is None or user.pending_email == user.email:
            text = "There is no account with this address; invite it instead."
            raise Invalid(text, code="no_account", fields={"email": text})
        require_room(server)
        member = join(server, user, actions)
        _note(actor, "member.add", server, user.id, actions)
        after_commit(lambda: roles.announce(user.id))
    return view_of(member)


def change(actor: Actor, ref: str, user_id: str, grant: Grant) -> MemberView:
    """Change what a member may do; one's own membership is for others to change."""
    with write_tx():
        server = locked(actor, ref, "users.update")
        member = _member(server, user_id)
        if user_id == actor.user_id:
            raise Forbidden("You can't change your own membership; ask the owner.", code="own_membership")
        require_held(actor, server, member.actions)
        member.actions = actions_of(actor, server, grant)
        member.save(only=[Member.actions])
        _note(actor, "member.update", server, user_id, member.actions)
        after_commit(lambda: roles.announce(user_id))
    return view_of(member)


def remove(actor: Actor, ref: str, user_id: str) -> None:
    """Take a member away; everybody may leave by themselves, in a session."""
    leaves = user_id == actor.user_id and actor.scopes is None
    with write_tx():
        server = locked(actor, ref, READ if leaves else "users.delete")
        member = _member(server, user_id)
        if not leaves:
            require_held(actor, server, member.actions)
        member.delete_instance()
        # What they have offered to others goes with them.
        unused = (Invitation.server == server.id) & (Invitation.invited_by == user_id) & Invitation.used_at.is_null()
        Invitation.delete().where(unused).execute()
        _note(actor, "member.remove", server, user_id, [])
        after_commit(lambda: roles.announce(user_id))


def join(server: Server, user: User, actions: list[str]) -> Member:
    """The row that makes an account a member; ``Conflict`` for the owner and for whoever is one already."""
    if user.id == server.owner_id:
        raise Conflict("This account owns the server.", code="owner")
    if Member.select().where((Member.server == server.id) & (Member.user == user.id)).exists():
        raise Conflict("This account is a member already; change what it may do.", code="already_member")
    try:
        made = Member.create(server=server, user=user, actions=actions)
    except peewee.IntegrityError:
        raise Conflict("This account is a member already; change what it may do.", code="already_member") from None
    assert isinstance(made, Member)
    return made


def actions_of(actor: Actor, server: Server, grant: Grant) -> list[str]:
    """The actions that a grant names, all of which ``actor`` holds; seeing the server is always among them."""
    if (grant.preset is None) is (grant.actions is None):
        text = "Give either a preset or a list of actions."
        raise Invalid(text, fields={"actions": text})
    if grant.preset is not None:
        offered = presets()
        if grant.preset not in offered:
            raise Invalid(f"The preset has to be one of {', '.join(offered)}.", fields={"preset": "is not a preset"})
        wanted: Collection[str] = offered[grant.preset]
    else:
        wanted = grant.actions or []
    for action in wanted:
        if not is_server_action(action):
            text = f"{action!r} is not an action on servers."
            raise Invalid(text, fields={"actions": text})
    require_held(actor, server, wanted)
    return sorted({READ, *wanted})


def require_held(actor: Actor, server: Server, actions: Iterable[str]) -> None:
    """Raise ``Forbidden`` unless ``actor`` holds all of these on the server; actions that are gone don't count."""
    for action in sorted(actions):
        if is_server_action(action) and not actor.allowed(action, server):
            text = f"You don't hold {action} on this server yourself; ask its owner."
            raise Forbidden(text, code="beyond_own")


def require_room(server: Server) -> None:
    """Raise ``Conflict`` when the server has all the members and invitations that it may have."""
    members = Member.select().where(Member.server == server.id).count()
    waiting = Invitation.select().where((Invitation.server == server.id) & Invitation.used_at.is_null()).count()
    if members + waiting >= MAX_MEMBERS:
        raise Conflict(f"A server may have {MAX_MEMBERS} members and invitations.", code="member_limit")


def view_of(member: Member) -> MemberView:
    """A member as the API shows it; its user has to be joined."""
    return MemberView(_person(member.user), False, member.actions, preset_of(member.actions), member.created_at)


def preset_of(actions: list[str]) -> str | None:
    """The preset that a list of actions is."""
    return next((name for name, listed in presets().items() if set(listed) == set(actions)), None)


def _member(server: Server, user_id: str) -> Member:
    if user_id == server.owner_id:
        raise Conflict("This account owns the server.", code="owner")
    found = (
        Member.select(Member, User).join(User).where((Member.server == server.id) & (Member.user == user_id))
    ).get_or_none()
    if found is None:
        raise NotFound("The server has no such member.")
    assert isinstance(found, Member)
    return found


def _person(user: User) -> Person:
    return Person(user.id, user.name, user.email)


def _note(actor: Actor, action: str, server: Server, user_id: str, actions: list[str]) -> None:
    details = {"user": user_id, "actions": actions}
    audit.record(actor, action, target_type="server", target_id=server.id, details=details)
