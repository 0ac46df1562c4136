"""A table of its own."""

import peewee

from stellar.db import IdField, Model


class Greeting(Model):
    """Whom we have greeted."""

    id = IdField()
    name = peewee.CharField(max_length=64)

    class Meta:
        table_name = "example_greeting"


MODELS = (Greeting,)
