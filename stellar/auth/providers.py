"""What Stellar knows of the services that people sign in with: OpenID Connect, and two that have their own ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..config import OAuthSettings, ProviderSettings
from ..errors import Invalid, NotFound
from . import users

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import Config

TIMEOUT = 10.0
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
MAX_SUBJECT = 255
GOOGLE = "https://accounts.google.com"


class Provider(msgspec.Struct, frozen=True):
    """One configured service; ``issuer`` is empty for one that isn't OpenID Connect."""

    name: str
    label: str
    client_id: str
    client_secret: str
    scope: str
    issuer: str = ""
    authorize_url: str = ""
    token_url: str = ""
    profile_url: str = ""
    profile_fields: tuple[str, str, str] = ("id", "email", "name")


class Person(msgspec.Struct, frozen=True):
    """Who a service says it is; ``email`` (normalised) only when the service has verified it."""

    subject: str
    email: str | None
    name: str


class Refused(Exception):
    """The service's answer isn't one that can be believed."""


def configured(config: Config) -> list[Provider]:
    """The services that have a client id."""
    settings = config.section(OAuthSettings)
    found = (
        _openid("oidc", settings.oidc, settings.oidc.label or "OpenID Connect", settings.oidc.issuer.rstrip("/")),
        _openid("google", settings.google, "Google", GOOGLE),
        _github(settings.github),
        _discord(settings.discord),
    )
    return [provider for provider in found if provider.client_id]


def find(config: Config, name: str) -> Provider:
    """A configured service; ``NotFound``."""
    for provider in configured(config):
        if provider.name == name:
            return provider
    raise NotFound("This panel has no such way to sign in.")


async def authorize_url(provider: Provider, redirect_uri: str, state: str, verifier: str, nonce: str) -> str:
    """Where the browser goes to sign in there."""
    async with _client(provider, redirect_uri) as client:
        place = provider.authorize_url or (await _metadata(client, provider))["authorization_endpoint"]
        extra = {"nonce": nonce} if provider.issuer else {}
        url, _ = client.create_authorization_url(place, state=state, code_verifier=verifier, **extra)
    return str(url)


async def person(provider: Provider, redirect_uri: str, code: str, verifier: str, nonce: str) -> Person:
    """Who has signed in there; ``Refused`` when the answer is forged, stale or meant for somebody else."""
    async with _client(provider, redirect_uri) as client:
        metadata = await _metadata(client, provider) if provider.issuer else {}
        token_url = provider.token_url or metadata["token_endpoint"]
        token = await client.fetch_token(token_url, code=code, code_verifier=verifier, redirect_uri=redirect_uri)
        if provider.issuer:
            keys = (await client.request("GET", metadata["jwks_uri"], withhold_token=True)).raise_for_status().json()
            claims = _claims(provider, keys, token.get("id_token"), nonce)
            return await _openid_person(client, metadata, claims)
        told = (await client.get(provider.profile_url)).raise_for_status().json()
        if provider.name == "github":
            told["email"] = _primary((await client.get(f"{provider.profile_url}/emails")).raise_for_status().json())
        elif told.get("verified") is not True:
            told["email"] = None
    subject, email, name = (told.get(field) for field in provider.profile_fields)
    return _person(subject, email, name)


def _openid(name: str, settings: ProviderSettings, label: str, issuer: str) -> Provider:
    return Provider(name, label, settings.client_id, settings.client_secret, "openid email profile", issuer)


def _github(settings: ProviderSettings) -> Provider:
    return Provider(
        "github",
        "GitHub",
        settings.client_id,
        settings.client_secret,
        "read:user user:email",
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
        profile_url="https://api.github.com/user",
        profile_fields=("id", "email", "login"),
    )


def _discord(settings: ProviderSettings) -> Provider:
    return Provider(
        "discord",
        "Discord",
        settings.client_id,
        settings.client_secret,
        "identify email",
        authorize_url="https://discord.com/oauth2/authorize",
        token_url="https://discord.com/api/oauth2/token",  # noqa: S106 - an address
        profile_url="https://discord.com/api/users/@me",
        profile_fields=("id", "email", "username"),
    )


def _client(provider: Provider, redirect_uri: str) -> Any:
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # only who signs in elsewhere needs its memory

    return AsyncOAuth2Client(
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        scope=provider.scope,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        timeout=TIMEOUT,
    )


async def _metadata(client: Any, provider: Provider) -> dict[str, Any]:
    answer = await client.request("GET", f"{provider.issuer}/.well-known/openid-configuration", withhold_token=True)
    found: dict[str, Any] = answer.raise_for_status().json()
    if str(found.get("issuer", "")).rstrip("/") != provider.issuer:
        raise Refused("the provider calls itself by another name than [oauth.oidc] issuer")
    return found


def _claims(provider: Provider, keys: Any, id_token: Any, nonce: str) -> dict[str, Any]:
    from joserfc import jwk, jwt

    if not isinstance(id_token, str):
        raise Refused("the answer has no id_token")
    claims = jwt.decode(id_token, jwk.KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims
    issuers = [provider.issuer, f"{provider.issuer}/"]
    jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "values": issuers},
        aud={"essential": True, "value": provider.client_id},
        exp={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise Refused("the id_token was made for another application")
    return claims


async def _openid_person(client: Any, metadata: dict[str, Any], claims: dict[str, Any]) -> Person:
    if "email" not in claims and "userinfo_endpoint" in metadata:
        more = (await client.get(metadata["userinfo_endpoint"])).raise_for_status().json()
        if more.get("sub") != claims["sub"]:
            raise Refused("the userinfo is somebody else's")
        claims = {**more, **claims}
    email = claims.get("email") if claims.get("email_verified") is True else None
    return _person(claims["sub"], email, claims.get("name") or claims.get("preferred_username"))


def _person(subject: Any, email: Any, name: Any) -> Person:
    if not isinstance(subject, (str, int)) or not 1 <= len(str(subject)) <= MAX_SUBJECT:
        raise Refused("the answer names nobody")
    shown = _usable(users.normal_name, name[:100] if isinstance(name, str) else None)
    return Person(str(subject), _usable(users.normal_email, email), shown or "")


def _usable(check: Callable[[str], str], told: Any) -> str | None:
    """What a service calls somebody, as an account here keeps it; None for what no account may be called."""
    try:
        return check(told) if isinstance(told, str) else None
    except Invalid:
        return None


def _primary(emails: Any) -> str | None:
    return next((one["email"] for one in emails if one.get("primary") and one.get("verified") is True), None)
