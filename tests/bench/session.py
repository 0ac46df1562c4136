"""How many sessions per second the panel looks up, beside a bare Falcon with a Redis look-up on the same machine.

``python tests/bench/session.py`` prints requests per second and their ratio, and asserts none. Needs ``wrk``.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import falcon.asgi
import httpx
import redis.asyncio
from common import new_product, parser, report, served, spread

from stellar.auth.sessions import token_hash
from stellar.bus import names
from stellar.config import load_config

CONNECTIONS = 32
COOKIE = "stellar_session"
PATH = "/api/v1/auth/session"


class BareResource:
    """The least that a look-up takes: cookie, key, value."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(url)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer what is stored of the session."""
        stored = await self._redis.get(names.session(token_hash(req.cookies[COOKIE])))
        if stored is None:
            raise falcon.HTTPUnauthorized
        resp.data = stored


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=int, default=5, help="for each measurement")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with new_product(given) as product:
        product.start()
        cookie = f"{COOKIE}={product.admin().cookies[COOKIE]}"
        with served(bare_app, load_config(product.data).redis_url) as (bare_url, _):
            pairs = [
                (load(bare_url + PATH, cookie, given.seconds), load(product.url + PATH, cookie, given.seconds))
                for _ in range(given.rounds)
            ]
    report("bare Falcon and Redis, requests/s", **spread([bare for bare, _ in pairs], 0))
    report("session look-up through the full stack, requests/s", **spread([full for _, full in pairs], 0))
    report("full stack : bare", **spread([full / bare for bare, full in pairs]), aim=0.5)


def bare_app(redis_url: str) -> Any:
    """The bare look-up alone."""
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App()
    app.add_route(PATH, BareResource(redis_url))
    return app


def load(url: str, cookie: str, seconds: int) -> float:
    """Requests per second that wrk gets answered with 200, one request per connection at a time."""
    httpx.get(url, headers={"Cookie": cookie}, trust_env=False).raise_for_status()
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Cookie: {cookie}", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec: +([\d.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"some requests failed:\n{said}")
    return float(found[1])


if __name__ == "__main__":
    main()
