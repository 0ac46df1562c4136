"""Greetings."""

import peewee


def up(migrator, db):
    class Greeting(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        name = peewee.CharField(max_length=64)

        class Meta:
            database = db
            table_name = "example_greeting"

    db.create_tables([Greeting])
