"""Static files: their addresses, and that nothing else is served."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import falcon.asgi
import falcon.testing
import pytest

from stellar.web.assets import Assets, StaticSink


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    static = tmp_path / "plugin/static"
    (static / "sub").mkdir(parents=True)
    (tmp_path / "plugin/secret.py").write_text("secret")
    (static / "app-ABCD1234.js").write_text("1;" * 100)
    (static / "app-ABCD1234.js.gz").write_bytes(gzip.compress(b"1;" * 100))
    (static / "manifest.json").write_text(json.dumps({"app.js": "app-ABCD1234.js"}))
    (static / "sub/plain.css").write_text("a{}")
    (static / ".hidden").write_text("hidden")
    (static / "link.js").symlink_to(tmp_path / "plugin/secret.py")
    (tmp_path / "theme/static").mkdir(parents=True)
    (tmp_path / "theme/static/x.svg").write_text("<svg/>")
    return {"shop": static, "themes/plum": tmp_path / "theme/static"}


@pytest.fixture
def client(roots: dict[str, Path]) -> falcon.testing.TestClient:
    app = falcon.asgi.App()
    app.add_sink(StaticSink(Assets(roots)), prefix="/static/")
    return falcon.testing.TestClient(app)


def test_addresses_change_with_the_content(roots: dict[str, Path]) -> None:
    assets = Assets(roots)
    assert assets.url("shop/app.js") == "/static/shop/app-ABCD1234.js"
    before = assets.url("shop/sub/plain.css")
    (roots["shop"] / "sub/plain.css").write_text("b{}")
    assert assets.url("shop/sub/plain.css") != before
    assert assets.url("themes/plum/x.svg").startswith("/static/themes/plum/x.svg?v=")
    for missing in ("shop/gone.js", "elsewhere/app.js"):
        assert not assets.has(missing)
        with pytest.raises(LookupError):
            assets.url(missing)


def test_a_hashed_file_is_kept_forever_and_compressed(client: falcon.testing.TestClient) -> None:
    packed = client.simulate_get("/static/shop/app-ABCD1234.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.content) == b"1;" * 100
    plain = client.simulate_get("/static/shop/app-ABCD1234.js")
    assert "content-encoding" not in plain.headers
    assert plain.content == b"1;" * 100
    assert "immutable" in plain.headers["cache-control"]
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["etag"] != packed.headers["etag"]


def test_a_plain_file_is_asked_for_again_and_not_sent_twice(client: falcon.testing.TestClient) -> None:
    first = client.simulate_get("/static/shop/sub/plain.css")
    assert first.status_code == 200
    assert "no-cache" in first.headers["cache-control"]
    again = client.simulate_get("/static/shop/sub/plain.css", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert "immutable" in client.simulate_get("/static/shop/sub/plain.css?v=1").headers["cache-control"]


def test_head_has_a_length_and_no_body(client: falcon.testing.TestClient) -> None:
    answer = client.simulate_head("/static/shop/sub/plain.css")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "3", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/shop/../secret.py",
        "/static/shop/%2e%2e/secret.py",
        "/static/shop/..%2fsecret.py",
        "/static/shop/sub/../../secret.py",
        "/static/shop//etc/passwd",
        "/static/shop/.hidden",
        "/static/shop/link.js",
        "/static/shop/%00",
        "/static/shop/",
        "/static/shop/sub",
        "/static/shop",
        "/static/nobody/app.js",
        "/static/themes/x.svg",
        "/static/" + "a" * 5000,
        "/static/shop/" + "a" * 5000,
    ],
)
def test_nothing_else_is_served(client: falcon.testing.TestClient, path: str) -> None:
    assert client.simulate_get(path).status_code == 404


def test_files_are_only_read(client: falcon.testing.TestClient) -> None:
    assert client.simulate_post("/static/shop/app-ABCD1234.js").status_code == 405
