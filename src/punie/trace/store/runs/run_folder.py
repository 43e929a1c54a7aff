"""A run on disk: what was planned (`run.json`), what happened (`spans/`), what the server printed (`server.log`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from punie.trace.errors import InputError
from punie.trace.model import SourceNote, SpanSet
from punie.trace.store import documents
from punie.trace.store.file_formats import read_file
from punie.trace.store.files.place import Place
from punie.trace.store.files.regular import is_file
from punie.trace.store.files.span_files import is_hidden, may_hold_spans, refused
from punie.trace.store.gathering import merge
from punie.trace.store.json_files import read_journal
from punie.trace.store.runs.owned_folder import OwnedFolder
from punie.trace.store.runs.run_plan import RunPlan, decode_plan
from punie.trace.store.runs.server_log import SERVER_LOG, notes_of
from punie.trace.store.source import Source

_PLAN: Final = "run.json"
_SPANS: Final = "spans"
_JOURNAL: Final = ".jsonl"
_NO_SPANS: Final = "file-without-spans"


@dataclass(frozen=True, slots=True)
class RunFolder(OwnedFolder):
    """The folder of one run. `spans/` is the source of every report; whatever else is derived can be deleted."""

    what = "a run folder"
    holds = f"{_SPANS}/"
    begins_with = _SPANS
    named = "`punie-trace run` named at its end"

    @property
    def spans_dir(self) -> Path:
        """Where every process writes its journal."""
        return self.path / _SPANS

    @property
    def plan_path(self) -> Path:
        """`run.json`."""
        return self.path / _PLAN

    @property
    def log_path(self) -> Path:
        """What the server printed."""
        return self.path / SERVER_LOG

    def write_plan(self, plan: RunPlan) -> None:
        """Write `run.json`, whole or not at all. Raises `InputError` if it can't be written."""
        documents.write(self.plan_path, plan)

    def read_plan(self) -> RunPlan:
        """What was planned. Raises `InputError` if `run.json` is missing or isn't what it should be."""
        text = documents.read_text(self.plan_path)
        return decode_plan(text, str(self.plan_path))

    def load_spans(self) -> SpanSet:
        """The spans of all files in `spans/`, in any format, with the records and the files that could not be read."""
        files = sorted(
            path for path in self.spans_dir.rglob("*") if not path.is_dir() and not is_hidden(path)
        )
        span_set = merge(_read_file(path) for path in files if path.name != SERVER_LOG)
        return replace(span_set, notes=(*span_set.notes, *notes_of(self.path), *notes_of(self.spans_dir)))


def holds_run(path: Path) -> bool:
    """Whether `path` is a run folder with something of a run in it: a plan or a journal."""
    journals = (path / _SPANS).glob(f"*{_JOURNAL}")
    return RunFolder.is_at(path) and (is_file(path / _PLAN) or any(journals))


def recognises(place: Place) -> bool:
    """Whether it is a run folder; one without plan and journals is a folder of files as any other."""
    return place.is_folder and holds_run(place.path)


def read(place: Place) -> SpanSet:
    """The spans of the run."""
    return RunFolder.open(place.path).load_spans()


RUN_FOLDER: Final = Source("a run folder", recognises, read)


def _read_file(path: Path) -> SpanSet:
    """The spans of one file; a journal may still be empty, or hold nothing but a torn line."""
    try:
        return read_file(Place(str(path)))
    except InputError as error:
        if path.suffix == _JOURNAL and path.is_file():
            return read_journal(path)
        record = refused(path, error)
        if may_hold_spans(path):
            return SpanSet((), (record,))
        return SpanSet((), notes=(SourceNote(_NO_SPANS, f"{record.file}: {record.reason}"),))
