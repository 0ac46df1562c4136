"""The rules: plain functions that raise ``DomainError``."""

from stellar import audit
from stellar.auth.permissions import SYSTEM
from stellar.db import write_tx
from stellar.errors import Conflict

from .models import Greeting

SECRET = "an example, not a secret"


def greet(actor, name):
    """Remember whom we have greeted."""
    with write_tx():
        greeting = Greeting.create(name=name)
        audit.record(actor, "example.greet", target_type="greeting", target_id=greeting.id)
    return greeting


def names():
    """Everybody we have greeted."""
    return [greeting.name for greeting in Greeting.select().order_by(Greeting.name)]


def actor_of(secret):
    """Whoever knows the secret is the system itself."""
    return SYSTEM if secret == SECRET else None


def apply_greeting(node_id, server_id, data):
    """A node has greeted somebody."""
    Greeting.create(name=str(data.get("name", ""))[:64])


def veto(server, action):
    """Servers called "frozen" stay as they are."""
    if server.name == "frozen":
        raise Conflict(f"The example plugin does not let you {action} a server called frozen.")
