"""A file that is there whole or not at all, and things that are no files."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from punie.trace.errors import OutputError
from punie.trace.store.files.whole_file import write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("before")
    write_whole(path, "after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="absent"):
        write_whole(tmp_path / "absent" / "report.md", "text")


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    path, link = tmp_path / "report.md", tmp_path / "latest.md"
    path.write_text("before")
    link.symlink_to(path)
    write_whole(link, "after")
    assert link.is_symlink()
    assert path.read_text() == "after"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "through")
    reader.join(timeout=30)
    assert said == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_was_written_by_half_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.md"
    path.write_text("before")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_pieces_go_there_one_after_the_other_and_an_error_between_them_leaves_what_stood(
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.json"
    seen: list[bool] = []

    def pieces(*, whole: bool) -> Iterator[bytes]:
        yield b"x" * 100_000
        seen.append(next(tmp_path.glob(".*")).stat().st_size > 0)  # it doesn't wait for the rest
        if not whole:
            raise ValueError
        yield b"y"

    write_whole(path, pieces(whole=True))
    assert path.read_bytes() == b"x" * 100_000 + b"y"
    with pytest.raises(ValueError, match=r"^$"):
        write_whole(path, pieces(whole=False))
    assert seen == [True, True]
    assert path.stat().st_size == 100_001
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_place_of_the_temporary_file_leads_nowhere(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not ours")
    (tmp_path / f".report.txt.{os.getpid()}").symlink_to(other)
    write_whole(tmp_path / "report.txt", "report")
    assert other.read_text() == "not ours"
    assert (tmp_path / "report.txt").read_text() == "report"
