"""From a path or a URL to spans: whatever any source of the registry reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path
from typing import Final

from punie.trace import semconv
from punie.trace.errors import InputError, UsageError
from punie.trace.model import SpanSet, UnreadableRecord
from punie.trace.options import why_no_path
from punie.trace.store.files.place import Place
from punie.trace.store.runs.run_folder import RunFolder, holds_run
from punie.trace.store.runs.run_plan import RunPlan
from punie.trace.store.sources import read_source
from punie.trace.units import count_text
from punie.trace.urls import without_password

_NAME_SPANS: Final = "Name a run folder, or a file or URL with spans."
_SHOWN: Final = 200  # characters of what is no path


@dataclass(frozen=True, slots=True, repr=False)
class LoadedSource:
    """A source that was read: its spans, and the plan if it is a run folder that still has one.

    `now_ns` decides which times of spans are possible: of a run what its plan says, else when it was read.
    """

    source: str
    spans: SpanSet
    plan: RunPlan | None
    now_ns: int | None

    def __repr__(self) -> str:
        return f"<{count_text(len(self.spans.spans), 'span')} of {self.source}>"

    @classmethod
    def of(cls, source: str, spans: SpanSet, plan: RunPlan | None = None) -> LoadedSource:
        """Read just now."""
        return cls(source, spans, plan, plan.now_ns if plan else time.time_ns())


def load_run(folder: RunFolder) -> LoadedSource:
    """The spans of a run folder and its plan, if `run.json` is there. Raises InputError."""
    plan = folder.read_plan() if folder.plan_path.exists() else None
    return LoadedSource.of(str(folder.path), folder.load_spans(), plan)


def load_source(text: str) -> LoadedSource:
    """A path or URL that any source of the registry reads. Raises InputError that names what is wrong with it."""
    if not text.strip():
        raise InputError("a source is empty text", remedy="is a variable in the command not set?")
    is_url = Place(text).is_url
    if not is_url and (problem := why_no_path(Path(text))):
        raise InputError(f"{without_password(text)[:_SHOWN]}…: is no path: {problem}", remedy=_NAME_SPANS)
    if not is_url and holds_run(Path(text)):
        loaded = load_run(RunFolder.open(Path(text)))
    else:
        loaded = LoadedSource.of(without_password(text), read_source(text))
    if loaded.plan is None and not loaded.spans.spans:
        unreadable = loaded.spans.unreadable
        why = f"{without_password(text)}: {_why_no_spans(unreadable)}"
        raise InputError(why, remedy=_NAME_SPANS)
    _check_arms([loaded])
    return loaded


def load_several(texts: Sequence[str]) -> tuple[LoadedSource, ...]:
    """Several sources for one report. Raises as `load_source`, and UsageError for what would count twice."""
    sources = tuple(map(load_source, texts))
    if len(sources) == 1:
        return sources
    traces = [(loaded.source, {span.trace_id for span in loaded.spans.spans}) for loaded in sources]
    for (one, in_one), (other, in_other) in combinations(traces, 2):
        if shared := len(in_one & in_other):
            raise UsageError(
                f"{one} and {other} share {count_text(shared, 'trace')}: their answers would count twice",
                remedy="leave one of them out, or put files with parts of the same traces into one folder",
            )
    _check_arms(sources)
    return sources


def _check_arms(sources: Sequence[LoadedSource]) -> None:
    """The arms of a benchmark are held against each other, never put into one ledger."""
    spans = chain(*(loaded.spans.spans for loaded in sources))
    with_arm = (span.attributes for span in spans if semconv.BENCH_ARM in span.attributes)
    arms = {semconv.text(attributes, semconv.BENCH_ARM) for attributes in with_arm} - {None}
    if len(arms) > 1:
        names = ", ".join(loaded.source for loaded in sources)
        raise InputError(
            f"{names}: holds {len(arms)} arms of a benchmark ({', '.join(sorted(map(str, arms)))}), which are "
            "never added up in one report",
            remedy="Name the folder of one benchmark (the one that holds bench.json), or of one arm in it.",
        )


def _why_no_spans(unreadable: Sequence[UnreadableRecord]) -> str:
    if not unreadable:
        return "holds no spans"
    first = unreadable[0]
    return (
        f"none of its {count_text(len(unreadable), 'record')} can be read; the first, {first.file}:{first.line}, "
        f"says: {first.reason}"
    )
