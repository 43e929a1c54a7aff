"""A file is looked at after it is open, so a swap between look and open can't make a reader wait."""

from __future__ import annotations

import os
from pathlib import Path
from runpy import run_path

import pytest

from punie.trace import open_flags
from punie.trace.errors import InputError
from punie.trace.store.files.place import Place
from punie.trace.store.files.regular import open_regular


def test_a_link_is_followed_where_the_user_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("what", ["pipe", "folder", "device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, what: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    path = Path("/dev/zero") if what == "device" else tmp_path / what
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(path)


def test_a_system_without_these_flags_reads_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW"):
        monkeypatch.delattr(os, name)
    flags = run_path(open_flags.__file__)
    assert (flags["READ"], flags["DO_NOT_WAIT"], flags["NO_LINK"]) == (os.O_RDONLY, 0, 0)


def test_a_file_that_became_a_pipe_after_the_look_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    path.write_text("{}\n")
    place = Place(str(path))
    assert place.is_file
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match=r"spans\.jsonl: can't be read: not a regular file"):
        _ = place.unpacked
