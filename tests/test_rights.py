"""Nobody grants what they don't hold, and a key never exceeds its owner: for any sets of actions."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from full_panel import full_panel
from hypothesis import given, settings
from hypothesis import strategies as st
from rights_parts import add_member, new_node, new_server, new_user
from web_parts import WebServer

from stellar.auth import keys, permissions, roles, users
from stellar.auth.models import Role, User
from stellar.auth.permissions import Actor
from stellar.db.fields import new_id
from stellar.errors import DomainError
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers import invitations, members
from stellar.plugins.servers.member_schemas import Grant, NewInvitation
from stellar.plugins.servers.models import Invitation, Member, Server
from stellar.testing.valkey import ValkeyServer

READ = "servers.read"
ON_SERVERS = (
    "users.create",
    "users.update",
    "users.delete",
    "console.read",
    "console.write",
    "control.start",
    "files.write",
    "servers.delete",
)
EVERYWHERE = (*ON_SERVERS, READ, "accounts.read", "accounts.manage", "roles.manage", "servers.create", "jobs.read")

some_on_servers = st.frozensets(st.sampled_from(ON_SERVERS))
some_everywhere = st.frozensets(st.sampled_from(EVERYWHERE))
scopes = st.none() | some_everywhere
often = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[WebServer]:
    """A panel with every built-in plugin."""
    data = tmp_path_factory.mktemp("rights")
    with full_panel(data, valkey.url, f"sqlite:///{data / 'test.db'}") as server:
        yield server


@pytest.fixture(scope="module")
def node(web: WebServer) -> Node:
    """Where the servers are said to be."""
    return new_node()


@pytest.fixture(scope="module")
def server(node: Node) -> Server:
    """Somebody's server."""
    return new_server(new_user(name="owner"), node)


def with_role(actions: frozenset[str]) -> User:
    """An account with a role of its own."""
    name = f"r{new_id()[:12]}"
    Role.create(name=name, title="Role", actions=sorted(actions))
    return new_user(name, "somebody")


def scoped(user: User, bound: frozenset[str] | None) -> Actor:
    """A user as they act, in a session or with a key of these scopes."""
    actor = roles.actor_of_user(user, kind="session" if bound is None else "key")
    return msgspec.structs.replace(actor, scopes=bound)


def effective(held: frozenset[str], bound: frozenset[str] | None) -> frozenset[str]:
    """What is left of what somebody holds with a key of these scopes."""
    return held if bound is None else held & bound


def rows(server: Server) -> dict[str, list[str]]:
    """Who may do what on a server."""
    return {row.user_id: row.actions for row in Member.select().where(Member.server == server.id)}


@often
@given(held=some_on_servers, by_role=some_everywhere, bound=scopes, wanted=some_on_servers, before=some_on_servers)
def test_members_give_and_take_exactly_what_they_hold(
    server: Server,
    held: frozenset[str],
    by_role: frozenset[str],
    bound: frozenset[str] | None,
    wanted: frozenset[str],
    before: frozenset[str],
) -> None:
    Member.delete().where(Member.server == server.id).execute()
    giver, joining, joined = with_role(by_role), new_user(name="joining"), new_user(name="joined")
    add_member(server, giver, *held)
    add_member(server, joined, *before)
    actor = scoped(giver, bound)
    may = effective(held | by_role | {READ}, bound)
    seen = rows(server)

    def tried(needed: str, touched: frozenset[str], what: object) -> bool:
        nonlocal seen
        expected = {READ, needed} | touched <= may
        try:
            assert callable(what)
            what()
        except DomainError:
            assert rows(server) == seen
            assert not expected
            return False
        assert expected
        seen = rows(server)
        return True

    grant = Grant(actions=sorted(wanted))
    if tried("users.create", wanted, lambda: members.add(actor, server.id, joining.email, grant)):
        assert set(seen[joining.id]) == wanted | {READ}
    if tried("users.update", wanted | before, lambda: members.change(actor, server.id, joined.id, grant)):
        assert set(seen[joined.id]) == wanted | {READ}
        before = wanted
    if tried("users.delete", before, lambda: members.remove(actor, server.id, joined.id)):
        assert joined.id not in seen


@often
@given(held=some_on_servers, later=some_on_servers, wanted=some_on_servers)
def test_an_invitation_gives_what_its_maker_held_then_and_holds_now(
    server: Server, held: frozenset[str], later: frozenset[str], wanted: frozenset[str]
) -> None:
    Member.delete().where(Member.server == server.id).execute()
    Invitation.delete().where(Invitation.server == server.id).execute()
    maker, guest = new_user(name="maker"), new_user(name="guest")
    add_member(server, maker, *held)
    try:
        made = invitations.create(
            roles.actor_of_user(maker), server.id, NewInvitation(email=guest.email, actions=sorted(wanted))
        )
    except DomainError:
        assert not {"users.create"} | wanted <= held
        return
    assert {"users.create"} | wanted <= held
    Member.update(actions=sorted({READ, *later})).where(Member.user == maker.id).execute()
    assert made.url is not None
    token = made.url.partition("token=")[2]
    try:
        invitations.accept(roles.actor_of_user(guest), token)
    except DomainError:
        assert not {"users.create"} | wanted <= later
        assert guest.id not in rows(server)
        return
    assert {"users.create"} | wanted <= later
    assert set(rows(server)[guest.id]) == wanted | {READ}


@often
@given(held=some_everywhere, bound=scopes, wanted=some_everywhere, other=some_everywhere)
def test_roles_are_made_given_and_taken_within_ones_own(
    web: WebServer,
    held: frozenset[str],
    bound: frozenset[str] | None,
    wanted: frozenset[str],
    other: frozenset[str],
) -> None:
    actor = scoped(with_role(held), bound)
    may = effective(held, bound)
    name = f"m{new_id()[:12]}"
    try:
        roles.create(actor, name, "Made", wanted)
    except DomainError:
        assert not wanted <= may
        assert not Role.select().where(Role.name == name).exists()
    else:
        assert wanted <= may
    above = with_role(other)
    for check in (lambda: roles.require_over(actor, above), lambda: roles.require_assignable(actor, above.role)):
        try:
            check()
        except DomainError:
            assert not other <= may
        else:
            assert other <= may
    for beyond in ("admin", "support"):
        with pytest.raises(DomainError):
            roles.require_assignable(actor, beyond)


@often
@given(
    role=some_everywhere | st.sampled_from(["user", "support", "admin"]),
    shared=some_on_servers,
    bound=st.frozensets(st.sampled_from(EVERYWHERE), min_size=1),
    later=st.none() | some_everywhere,
)
def test_a_key_does_what_its_scopes_say_and_its_owner_may(
    server: Server,
    node: Node,
    role: frozenset[str] | str,
    shared: frozenset[str],
    bound: frozenset[str],
    later: frozenset[str] | None,
) -> None:
    new_user("admin", "another")  # the last one could not become anything else
    owner = new_user(role, "owner") if isinstance(role, str) else with_role(role)
    mine = new_server(owner, node)
    add_member(server, owner, *shared)
    actor = roles.actor_of_user(owner)
    try:
        made = keys.create(actor, "key", bound, None, [])
    except DomainError:
        assert any(not permissions.may_try(actor, scope) for scope in bound)
        return
    assert all(permissions.may_try(actor, scope) for scope in bound)
    if later is not None:
        users.set_role(owner.id, with_role(later).role)
    actor = roles.actor_of_user(users.get(owner.id))
    by_key = keys.actor_of(made.token, "127.0.0.1", "")
    for resource in (None, mine, server, new_server(new_user(), node)):
        for permission in permissions.known():
            allowed = by_key.allowed(permission.action, resource)
            assert allowed is (permission.action in bound and actor.allowed(permission.action, resource))
