"""How far each receiver got, kept in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie.trace.errors import InputError, OutputError
from punie.trace.store.runs.ship_state import FILE_NAME, Acknowledged, ShipState, StoredBookmark
from punie.trace.store.sources import read_source


def test_it_is_there_again_after_it_was_written(tmp_path: Path) -> None:
    bookmark = StoredBookmark(ShipState.open(tmp_path), "http there")
    bookmark.reached({"agent-1.jsonl": (10, "a")}, accepted=3, rejected=0)
    bookmark.reached({"agent-1.jsonl": (20, "b"), "mlx_lm-2.jsonl": (5, "")}, accepted=2, rejected=1)
    again = ShipState.open(tmp_path)
    assert again.of("http there") == Acknowledged(
        {"agent-1.jsonl": 20, "mlx_lm-2.jsonl": 5}, 5, 1, {"agent-1.jsonl": "b", "mlx_lm-2.jsonl": ""}
    )
    assert again.of("elsewhere") == Acknowledged({})
    again.forget("http there")
    assert again.of("http there").accepted == 0
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_one_of_an_earlier_version_knows_a_file_by_its_length_alone(tmp_path: Path) -> None:
    text = '{"format_version": 1, "targets": {"a": {"accepted": 1, "rejected": 0, "bytes": {"f": 7}}}}'
    (tmp_path / FILE_NAME).write_text(text)
    assert ShipState.open(tmp_path).of("a").places == {"f": (7, "")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '{"format_version": 2, "targets": {}}',
        '{"format_version": 1, "targets": {"a": {}}}',
        '{"format_version": 1, "targets": {"a": {"accepted": 1, "rejected": 0, "bytes": {"f": -1}}}}',
    ],
)
def test_a_damaged_one_is_named_with_what_to_do(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(InputError, match=FILE_NAME) as raised:
        ShipState.open(tmp_path)
    assert "Delete it" in raised.value.remedy


def test_what_cant_be_written_is_said(tmp_path: Path) -> None:
    state = ShipState.open(tmp_path / "gone")
    with pytest.raises(OutputError, match=FILE_NAME):
        state.reached("there", {}, accepted=1, rejected=0)


def test_no_reader_of_spans_takes_it_for_spans(tmp_path: Path) -> None:
    ShipState.open(tmp_path).reached("there", {}, accepted=1, rejected=0)
    (tmp_path / "empty.jsonl").write_text("")
    found = read_source(str(tmp_path))
    assert not [record for record in found.unreadable if FILE_NAME in record.file]
