"""The history of predictions on this machine: a line for each lever that was measured. No content.

It is `$XDG_STATE_HOME/punie-trace/predictions.jsonl`, by default under `~/.local/state`.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from punie.trace.errors import InputError
from punie.trace.open_flags import CLOSE_ON_EXEC
from punie.trace.store.files.whole_file import PRIVATE

if TYPE_CHECKING:
    from punie.trace.analysis.improvement.track_record import PredictionResult

# some 40,000 lines; older ones count no more than newer ones, so the end is read
_MOST_BYTES: Final = 16 * 2**20


def history_path() -> Path:
    """Where the history is. A relative `XDG_STATE_HOME` is ignored, as its specification has it."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = given if given.is_absolute() else Path.home() / ".local" / "state"
    return state / "punie-trace" / "predictions.jsonl"


def machine_name() -> str:
    """What the history calls this machine."""
    return platform.node() or "this machine"


def read_history(path: Path | None = None) -> tuple[PredictionResult, ...]:
    """The results of this machine, the oldest first; none if there is no history, or none that can be read.

    A line of another version or a damaged one is left out: the history only ever adds a remark to a prediction.
    """
    lines = _lines(path or history_path())
    results = (result for line in lines if (result := _result(line)) is not None)
    return tuple(result for result in results if result.machine == machine_name())


def add_to_history(results: Iterable[PredictionResult], path: Path | None = None) -> None:
    """Append, in one write. Raises InputError where the file can't be written."""
    path = path or history_path()
    text = b"".join(msgspec.json.encode(result) + b"\n" for result in results)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | CLOSE_ON_EXEC, PRIVATE)
        try:
            os.write(file, text)
        finally:
            os.close(file)
    except OSError as error:
        raise InputError(
            f"{path}: the history of predictions can't be written: {error.strerror or error}",
            remedy="--no-history leaves it alone",
        ) from error


def _lines(path: Path) -> list[bytes]:
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST_BYTES))
            return file.read().splitlines()
    except OSError:
        return []


def _result(line: bytes) -> PredictionResult | None:
    from punie.trace.analysis.improvement.track_record import PredictionResult

    try:
        return msgspec.json.decode(line, type=PredictionResult)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
