"""Whatever the path: it never reaches outside of the root, and what is shown of a name stands for it alone."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

from beneath_parts import SECRET, snapshot, verbs
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import DomainError
from stellar.plugins.servers.agent.beneath import Root, default_opener, open_by_walk, parse, show


@given(st.binary(max_size=60))
def test_a_shown_name_stands_for_its_bytes_alone(name: bytes) -> None:
    text = show(name)
    text.encode("utf-8")
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        return
    assert parse(text) == (name,)


paths = st.lists(
    st.sampled_from(["..", ".", "", "world", "link", "abs", "secret", "etc", "server.properties", "a\nb", "~", "\\.."])
    | st.text(alphabet=string.printable, max_size=8),
    max_size=6,
).map("/".join)


@settings(max_examples=150, deadline=None)
@given(path=paths, other=paths, walk=st.booleans())
def test_no_path_reaches_outside(path: str, other: str, walk: bool) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / "secret").write_bytes(SECRET)
        data = place / "data"
        (data / "world").mkdir(parents=True)
        (data / "server.properties").touch()
        (data / "link").symlink_to("..")
        (data / "abs").symlink_to(place)
        before = snapshot(place)
        with Root(data, open_by_walk if walk else default_opener()) as root:
            for call in (*verbs(root, path).values(), lambda: root.rename(path, other)):
                try:
                    assert call() != SECRET
                except DomainError:
                    continue
        assert snapshot(place) == before
