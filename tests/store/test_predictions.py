"""The history of predictions: added to, read again, and no worse for a damaged line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from punie.trace.analysis.improvement.track_record import PredictionResult, TrackRecord, track_records
from punie.trace.errors import InputError
from punie.trace.store.predictions import add_to_history, history_path, machine_name, read_history


def result(
    predicted: float,
    measured: float,
    **fields: Any,  # noqa: ANN401 # of PredictionResult
) -> PredictionResult:
    values: dict[str, Any] = {
        "kind": "brief",
        "lever": "brief",
        "when": "2026-11-30T14:05:09+00:00",
        "machine": machine_name(),
        "suite": "abc",
        "predicted": predicted,
        "predicted_low": predicted - 0.05,
        "predicted_high": predicted + 0.05,
        "measured": measured,
        "measured_low": measured - 0.02,
        "measured_high": measured + 0.02,
    }
    return PredictionResult(**(values | fields))


def test_it_is_where_the_specification_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert history_path() == tmp_path / "punie-trace/predictions.jsonl"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert history_path() == Path.home() / ".local/state/punie-trace/predictions.jsonl"


def test_what_is_added_is_read_again_and_a_damaged_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "made" / "predictions.jsonl"
    assert read_history(path) == ()
    add_to_history([result(0.2, 0.25)], path)
    with path.open("ab") as file:
        file.write(b'{"kind": 1}\n\xff\n{"cut sho\n')
    other = result(0.1, 0.1, machine="another")
    add_to_history([result(0.3, 0.1), other], path)
    assert read_history(path) == (result(0.2, 0.25), result(0.3, 0.1))
    assert path.stat().st_mode & 0o077 == 0


def test_a_history_that_cannot_be_written_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written") as caught:
        add_to_history([result(0.1, 0.1)], tmp_path / "file" / "predictions.jsonl")
    assert "--no-history" in caught.value.remedy


def test_how_predictions_did() -> None:
    found = track_records(
        [result(0.2, 0.25), result(0.3, 0.1), result(0.1, 0.1, kind="cache", measured_low=None)]
    )
    assert [replace(one, error=round(one.error, 6)) for one in found] == [
        TrackRecord("brief", 2, 2, 1, 0.125),
        TrackRecord("cache", 1, 0, 0, 0.0),
    ]
