"""Subscribers; what they hear is kept in memory for the tests to see."""

HEARD = []


def heard(message):
    """A message of the global channel."""
    HEARD.append(message)


def note(text):
    """Something happened in this process."""
    HEARD.append(text)
