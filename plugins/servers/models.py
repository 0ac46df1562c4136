"""Tables: servers, their latest install, their crashes."""

from __future__ import annotations

import unicodedata
from typing import Any

import peewee

from stellar.auth.models import User
from stellar.auth.permissions import Actor, is_server_action
from stellar.db import IdField, JSONField, Model, UTCDateTimeField, now
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Node


def folded(text: str) -> str:
    """Text by which things are searched and sorted: the same whatever its case, on both databases."""
    return unicodedata.normalize("NFC", text.casefold())


class Server(Model):
    """A game server. ``state`` is what its node last said; ``state_at`` is seconds since the epoch, the node's clock.

    ``name_key`` and ``search_text`` are ``folded``; what changes the name or description changes them (``searched``).

    ``image`` and ``startup`` (the name of a command) are choices among the blueprint's, its first where they are
    empty. ``autostart``: whether it is started again after its node's machine was.

    ``disk_level`` is what the node has said last, at ``disk_at``: ``ok``, ``over`` its disk limit with ``disk_used``
    bytes, or ``stopped`` for that. ``mounts``: further directories of its node that it sees, each as ``spec.Mount``.

    ``removing`` is set while it is being deleted: its node is no longer told of it.
    """

    owner_id: str
    node_id: str
    blueprint_id: str
    _held: tuple[str, frozenset[str]] | None = None

    id = IdField()
    short_id = peewee.CharField(max_length=8, unique=True)
    name = peewee.CharField(max_length=64)
    description = peewee.CharField(max_length=512, default="")
    name_key = peewee.CharField(max_length=192, default="")
    search_text = peewee.TextField(default="")
    owner = peewee.ForeignKeyField(User, on_delete="RESTRICT", backref="servers")
    node = peewee.ForeignKeyField(Node, on_delete="RESTRICT", backref="servers")
    blueprint = peewee.ForeignKeyField(Blueprint, on_delete="RESTRICT", backref="servers")
    runtime = peewee.CharField(max_length=16)
    memory_mb = peewee.IntegerField()
    cpu_percent = peewee.IntegerField()
    disk_mb = peewee.IntegerField()
    swap_mb = peewee.IntegerField(default=0)
    cpu_set = peewee.CharField(max_length=64, default="")
    io_weight = peewee.IntegerField(default=500)
    pids = peewee.IntegerField(default=0)
    oom_kill = peewee.BooleanField(default=True)
    image = peewee.CharField(max_length=255, default="")
    startup = peewee.CharField(max_length=64, default="")
    autostart = peewee.BooleanField(default=True)
    disk_level = peewee.CharField(max_length=16, default="ok")
    disk_used = peewee.BigIntegerField(default=0)
    disk_at = peewee.DoubleField(default=0.0)
    mounts = JSONField(default=list)
    variables = JSONField(default=dict)
    state = peewee.CharField(max_length=16, default="installing")
    state_at = peewee.DoubleField(default=0.0)
    install_id = peewee.CharField(max_length=36)
    suspended = peewee.BooleanField(default=False)
    removing = peewee.BooleanField(default=False)
    created_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "servers_server"
        indexes = (
            (("created_at", "id"), False),
            (("name_key", "id"), False),
            (("state", "id"), False),
            *(((field, "created_at", "id"), False) for field in ("owner", "node", "blueprint", "suspended", "state")),
        )

    @classmethod
    def create(cls, **values: Any) -> Server:
        """Make a row that the list can be searched for."""
        made = super().create(**values, **searched(values["name"], values.get("description", "")))
        assert isinstance(made, Server)
        return made

    def grants(self, actor: Actor, action: str) -> bool:
        """Whether the owner or a member may do an action of the scope ``server``; one query per row and actor."""
        if actor.user_id is None or not is_server_action(action):
            return False
        if actor.user_id == self.owner_id:
            return True
        if self._held is None or self._held[0] != actor.user_id:
            member = Member.get_or_none((Member.user == actor.user_id) & (Member.server == self.id))
            self._held = (actor.user_id, frozenset(member.actions if member else ()))
        return action in self._held[1]

    def remember(self, user_id: str, actions: frozenset[str]) -> None:
        """What a user holds as a member, for ``grants`` to need no query."""
        self._held = (user_id, actions)


def searched(name: str, description: str) -> dict[str, str]:
    """The columns by which a server of this name is found."""
    return {"name_key": folded(name), "search_text": folded(f"{name}\n{description}")}


class Install(Model):
    """How the latest install of a server went; ``log`` is the end of its output. Times are the node's."""

    server = peewee.ForeignKeyField(Server, primary_key=True, on_delete="CASCADE", backref="installs")
    install_id = peewee.CharField(max_length=36)
    ok = peewee.BooleanField()
    exit_code = peewee.IntegerField(null=True)
    log = peewee.TextField()
    started_at = peewee.DoubleField()
    finished_at = peewee.DoubleField()

    class Meta:
        table_name = "servers_install"


class Crash(Model):
    """An end that nobody asked for; ``log`` is what the server last said. ``at`` is seconds since the epoch.

    ``reason`` is the node's own, where it has ended the server or couldn't start it.
    """

    id = IdField()
    server = peewee.ForeignKeyField(Server, on_delete="CASCADE", backref="crashes")
    at = peewee.DoubleField()
    code = peewee.IntegerField(null=True)
    signal = peewee.CharField(max_length=16, null=True)
    oom = peewee.BooleanField()
    restarting = peewee.BooleanField()
    log = peewee.TextField()
    reason = peewee.TextField(default="")

    class Meta:
        table_name = "servers_crash"


class OpenPrompt(Model):
    """A known question of a game that nobody has answered yet; ``line`` is where it was printed, ``at`` when."""

    id = IdField()
    server = peewee.ForeignKeyField(Server, on_delete="CASCADE", backref="prompts")
    name = peewee.CharField(max_length=64)
    at = peewee.DoubleField()
    line = peewee.TextField()

    class Meta:
        table_name = "servers_prompt"
        indexes = ((("server", "name"), True),)


class Member(Model):
    """Somebody who may do ``actions`` (a list of names) on a server that isn't theirs."""

    server_id: str
    user_id: str

    id = IdField()
    server = peewee.ForeignKeyField(Server, on_delete="CASCADE", backref="members")
    user = peewee.ForeignKeyField(User, on_delete="CASCADE", backref="memberships")
    actions = JSONField()
    created_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "servers_member"
        indexes = ((("user", "server"), True),)


class Invitation(Model):
    """A one-time offer to the account with this e-mail address; only the hash of its token is kept."""

    server_id: str
    invited_by_id: str

    id = IdField()
    server = peewee.ForeignKeyField(Server, on_delete="CASCADE", backref="invitations")
    email = peewee.CharField(max_length=254)
    actions = JSONField()
    token_hash = peewee.CharField(max_length=64, unique=True)
    invited_by = peewee.ForeignKeyField(User, on_delete="CASCADE", backref="invitations")
    created_at = UTCDateTimeField(default=now)
    expires_at = UTCDateTimeField()
    used_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "servers_invitation"


MODELS = (Server, Install, Crash, OpenPrompt, Member, Invitation)
