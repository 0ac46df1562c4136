"""Everything that somebody may own, twice, and whether any of it has changed; for ``test_foreign_ids``."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rights_parts import add_member, new_node, new_server, new_user

from stellar.auth import models as accounts
from stellar.auth import sessions
from stellar.auth.models import User
from stellar.auth.sessions import NewSession
from stellar.db import now
from stellar.panel import Panel
from stellar.plugins.nodes.models import Allocation, Location
from stellar.plugins.servers.known_prompts import KNOWN
from stellar.plugins.servers.models import Invitation, OpenPrompt, Server

_ports = itertools.count(30_000)
_prompts = itertools.cycle(KNOWN)


@dataclass
class Estate:
    """A server with its port, member and invitation, and an account with its session, key, passkey and identity."""

    owner: User
    server: Server
    ids: dict[str, str]
    begun: NewSession


def new_estate(owner: User | None = None, server: Server | None = None) -> Estate:
    """An estate of its own; of ``owner``, around their ``server``, if given."""
    owner = owner or new_user(name="owner")
    unique = uuid.uuid4().hex
    server = server or new_server(owner, new_node(), name=f"server {unique}")
    node, member = server.node, new_user(name="member")
    add_member(server, member, "console.read")
    port = Allocation.create(node=node, ip="0.0.0.0", port=next(_ports), server_id=server.id)
    invitation = Invitation.create(
        server=server,
        email=f"{unique}@example.com",
        actions=["servers.read"],
        token_hash=unique,
        invited_by=owner,
        expires_at=now() + timedelta(hours=1),
    )
    prompt = OpenPrompt.create(server=server, name=next(_prompts), at=0.0, line="What the game asks")
    key = accounts.Key.create(
        id=unique[:16], user=owner, name="key", secret_hash="", scopes=["servers.read"], networks=[]
    )
    passkey = accounts.Passkey.create(user=owner, credential_id=unique, public_key="", sign_count=0, name="passkey")
    identity = accounts.Identity.create(user=owner, provider="oidc", subject=unique, name="elsewhere")
    location = Location.create(name=unique)
    role = accounts.Role.create(name=f"r{unique[:8]}", title="Role", actions=["servers.read"])
    begun = sessions.create(owner, "127.0.0.1", "tests")
    ids = {
        "server_id": server.id,
        "user_id": member.id,
        "node_id": node.id,
        "allocation_id": port.id,
        "port": str(port.port),
        "invitation_id": invitation.id,
        "prompt": prompt.name,
        "key_id": key.id,
        "passkey_id": passkey.id,
        "identity": identity.id,
        "session_id": begun.session.id,
        "location_id": location.id,
        "name": role.name,
    }
    return Estate(owner, server, ids, begun)


def everything(panel: Panel) -> dict[str, list[Any]]:
    """Every row of every table but the record of what was done."""
    models = [*accounts.MODELS, *(model for model in panel.registry.models if model._meta.table_name != "audit_entry")]
    return {model._meta.table_name: sorted(map(_shown, model.select().tuples())) for model in models}


def _shown(row: tuple[Any, ...]) -> str:
    return repr([bytes(value) if isinstance(value, memoryview) else value for value in row])
