"""Errors of the rules; only the edges turn them into HTTP answers, exit codes or job failures."""

from __future__ import annotations

from typing import ClassVar


class DomainError(Exception):
    """Something that a caller asked for can't be done.

    ``message`` is one sentence for a person, with the remedy where there is one;
    ``fields`` maps a field's name to what is wrong with it.
    """

    kind: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str | None = None, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.kind
        self.fields = fields or {}


class Invalid(DomainError):
    """The input breaks a rule."""

    kind = "invalid"
    status = 422


class Unauthenticated(DomainError):
    """Nobody is signed in, or the credentials are wrong."""

    kind = "unauthenticated"
    status = 401


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    kind = "forbidden"
    status = 403


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    kind = "not_found"
    status = 404


class Conflict(DomainError):
    """The thing's state doesn't allow this now."""

    kind = "conflict"
    status = 409


class Changed(DomainError):
    """The thing is not any more what the caller has seen of it."""

    kind = "changed"
    status = 412


class TooLarge(DomainError):
    """The input is larger than the limit."""

    kind = "too_large"
    status = 413


class RateLimited(DomainError):
    """Too many attempts; ``retry_after`` is in seconds."""

    kind = "rate_limited"
    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NodeUnreachable(DomainError):
    """A node didn't answer in time."""

    kind = "node_unreachable"
    status = 503


class Unavailable(DomainError):
    """A part that this needs (Redis, a node's feature) is away."""

    kind = "unavailable"
    status = 503


class SetupError(DomainError):
    """The installation itself is broken; a command prints it as one sentence and exits with 1."""

    kind = "setup"


KINDS: dict[str, type[DomainError]] = {
    error.kind: error
    for error in (
        Invalid,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        Changed,
        TooLarge,
        NodeUnreachable,
        Unavailable,
    )
}
