"""How fast and how exact the critical path is, beside Jaeger's and CRISP's: `python benchmarks/critical_path.py`.

Agent traces are made from a seed: turns of a model call with the server's phases one right after the other, and
tools, some of them in parallel. All ways run in turn on the same traces, and the best of several rounds counts:

| way | starts from | gives |
| --- | --- | --- |
| walk | parents, starts and ends as lists | the sections |
| walk, from ids | spans grouped by trace, with ids | the sections, after looking up the parents |
| jaeger | spans grouped by trace, with ids | the sections as Jaeger's trace page finds them, in plain Python |
| crisp | spans grouped by trace, with ids | the nanoseconds of each span on the path, as CRISP's article describes it |

Jaeger's way here is span objects, a search for the last finishing child at every step, and recursion; the copies
that the page makes of its spans are left out. It passes over a child that ends exactly where the next one starts, so
it has less to do. CRISP's way (Zhang et al., USENIX ATC 2022) gives a span on the path its duration less those of its
children there, at least 0; siblings may overlap by 1 % of their parent where nothing else begins or ends meanwhile. So
the sum isn't always the duration of the root. Every path is held against a slow one made by the definition.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from punie.trace.analysis.path.critical_path import path_columns
from punie.trace.analysis.path.self_time import self_times
from punie.trace.analysis.trees.windows import clip

START_NS = 1_764_000_000_000_000_000
US = 1_000
PHASES_US = (("queue", 300), ("template", 1_500), ("prefill", 60_000), ("decode", 400_000))
PEERS_DEPTH = 100_000
CRISP_OVERLAP = 0.01  # of the parent's duration
Row = tuple[str, str | None, int, int]  # id, parent's id, start, end
Arrays = tuple[list[int], list[int], list[int]]  # parent's index, start, end
Path = list[tuple[str, int, int]]  # id, start, end


@dataclass(slots=True)
class PeerSpan:
    """A span as the peers hold it."""

    span_id: str
    parent_id: str | None
    start: int
    end: int
    children: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print spans a second of each way, the ratio to Jaeger's, and how many paths are exact."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    generator = random.Random(options.seed)  # noqa: S311 - sample data
    traces = [list(agent_trace(generator)) for _ in range(options.traces)]
    spans = sum(map(len, traces))
    sys.setrecursionlimit(PEERS_DEPTH)  # for the peers alone
    arrays = _arrays(traces)
    ways: dict[str, Callable[[], object]] = {
        "walk": lambda: path_columns(clip(*arrays)),
        "walk, from ids": lambda: path_columns(clip(*_arrays(traces))),
        "jaeger": lambda: [jaeger_path(trace) for trace in traces],
        "crisp": lambda: [crisp_times(trace) for trace in traces],
        "self times": lambda: self_times(clip(*arrays)),
    }
    seconds = _best(ways, options.rounds)
    sys.stdout.write(f"{spans} spans in {len(traces)} traces\n")
    for name, took in seconds.items():
        rate = f"{spans / took / 1e6:5.2f} M spans/s"
        sys.stdout.write(f"{name:<16} {rate} {seconds['jaeger'] / took:6.1f} x jaeger\n")
    for name, way in (("walk", kernel_path), ("jaeger", jaeger_path)):
        exact = sum(sorted(way(trace), key=_start) == defined_path(trace) for trace in traces)
        sys.stdout.write(f"{name}: the path of {exact} of {len(traces)} traces is the one that is defined\n")
    sys.stdout.write(_crisp_found(traces))
    return 0


def _crisp_found(traces: Sequence[Sequence[Row]]) -> str:
    found = [crisp_times(trace) for trace in traces]
    amiss = sum(
        sum(times.values()) != trace[0][3] - trace[0][2] for times, trace in zip(found, traces, strict=True)
    )
    exact = sum(times == _times(defined_path(trace)) for times, trace in zip(found, traces, strict=True))
    return (
        f"crisp: the times of {amiss} of {len(traces)} traces do not add up to their root's; those of {exact} are "
        "the defined path's\n"
    )


def _times(path: Path) -> dict[str, int]:
    times: dict[str, int] = {}
    for span, start, end in path:
        times[span] = times.get(span, 0) + end - start
    return times


def _start(section: tuple[str, int, int]) -> int:
    return section[1]


def agent_trace(generator: random.Random) -> Iterator[Row]:
    """One query: turns of a model call and its tools, `|-chat-||-tools-||-chat-|`."""
    now = START_NS + generator.randrange(10**12)
    rows: list[Row] = []
    cursor = now + 500 * US
    for turn in range(generator.randint(1, 4)):
        cursor = _chat(rows, f"{turn}", cursor, generator)
        begin = cursor + 50 * US
        ends = [begin]
        for tool in range(generator.choice((0, 1, 1, 3))):
            end = begin + generator.randint(2_000, 80_000) * US
            rows.append((f"tool{turn}.{tool}", "agent", begin, end))
            ends.append(end)
        cursor = max(ends) + 200 * US
    yield ("query", None, now, cursor + 900 * US)
    yield ("agent", "query", now + 300 * US, cursor + 400 * US)
    yield from rows


def _chat(rows: list[Row], turn: str, start: int, generator: random.Random) -> int:
    phases: list[Row] = []
    at = start + 2_000 * US
    for name, mean_us in PHASES_US:
        end = at + int(mean_us * US * generator.uniform(0.5, 1.5))
        phases.append((f"{name}{turn}", f"server{turn}", at, end))
        at = end
    rows.append((f"chat{turn}", "agent", start, at + 2_500 * US))
    rows.append((f"POST{turn}", f"chat{turn}", start + 800 * US, at + 1_200 * US))
    rows.append((f"server{turn}", f"POST{turn}", start + 1_500 * US, at + 600 * US))
    rows += phases
    return at + 2_500 * US


def _arrays(traces: Sequence[Sequence[Row]]) -> Arrays:
    parents: list[int] = []
    for trace in traces:
        places = {row[0]: place for place, row in enumerate(trace, len(parents))}
        parents += [-1 if row[1] is None else places[row[1]] for row in trace]
    starts = [row[2] for trace in traces for row in trace]
    ends = [row[3] for trace in traces for row in trace]
    return parents, starts, ends


def _best(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest of `rounds` runs of each way, in seconds of processor time: another process takes none of it."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - begun)
    return best


def jaeger_path(rows: Sequence[Row]) -> Path:
    """The sections of one trace the way Jaeger's page finds them, the last first."""
    spans = _peer_spans(rows)
    sections: Path = []
    _walk(spans, rows[0][0], sections, 0)
    return sections


def _peer_spans(rows: Sequence[Row]) -> dict[str, PeerSpan]:
    spans = {row[0]: PeerSpan(*row) for row in rows}
    for span in spans.values():
        if span.parent_id is not None:
            spans[span.parent_id].children.append(span.span_id)
    _cut_to_parents(spans)
    return spans


def _cut_to_parents(spans: dict[str, PeerSpan]) -> None:
    for span in list(spans.values()):
        if span.parent_id is None:
            continue
        parent = spans.get(span.parent_id)
        if parent is None:
            del spans[span.span_id]
        elif span.start >= parent.end or span.end <= parent.start:
            parent.children.remove(span.span_id)
            del spans[span.span_id]
        else:
            span.start, span.end = max(span.start, parent.start), min(span.end, parent.end)


def _walk(spans: dict[str, PeerSpan], span_id: str, sections: Path, came_back_at: int) -> None:
    span = spans[span_id]
    last = _last_finishing(spans, span, came_back_at)
    start, end = span.start if last is None else last.end, came_back_at or span.end
    if start != end:
        sections.append((span_id, start, end))
    if last is not None:
        _walk(spans, last.span_id, sections, 0)
    elif span.parent_id is not None:
        _walk(spans, span.parent_id, sections, span.start)


def _last_finishing(spans: dict[str, PeerSpan], span: PeerSpan, before: int) -> PeerSpan | None:
    found, latest = None, -1
    for child_id in span.children:
        child = spans[child_id]
        if latest < child.end and (not before or child.end < before):
            found, latest = child, child.end
    return found


def crisp_times(rows: Sequence[Row]) -> dict[str, int]:
    """Nanoseconds of each span that is on the path of one trace the way CRISP finds it."""
    spans = _peer_spans(rows)
    path: list[PeerSpan] = []
    _crisp_walk(spans, spans[rows[0][0]], path)
    times = {span.span_id: span.end - span.start for span in path}
    for span in path:
        if span.parent_id is not None:
            times[span.parent_id] -= span.end - span.start
    return {span_id: ns for span_id, ns in times.items() if ns > 0}


def _crisp_walk(spans: dict[str, PeerSpan], span: PeerSpan, path: list[PeerSpan]) -> None:
    path.append(span)
    children = sorted((spans[child] for child in span.children), key=lambda child: child.end)[::-1]
    later = None
    for child in children:
        if later is None or _happens_before(span, children, child, later):
            _crisp_walk(spans, child, path)
            later = child


def _happens_before(parent: PeerSpan, children: Sequence[PeerSpan], one: PeerSpan, later: PeerSpan) -> bool:
    if one.end < later.start:
        return True
    if one.end >= later.end or one.start >= later.start:
        return False
    if one.end - later.start >= CRISP_OVERLAP * (parent.end - parent.start):
        return False
    return sum(later.start <= at <= one.end for child in children for at in (child.start, child.end)) == 2


def defined_path(rows: Sequence[Row]) -> Path:
    """The sections of one trace by the definition, the first first: slow, and written apart from both."""
    windows = {rows[0][0]: rows[0][2:]}
    for span_id, parent_id, start, end in rows[1:]:
        low, high = windows[parent_id or ""]
        windows[span_id] = (min(max(start, low), high), max(min(end, high), low))

    def of(span_id: str) -> Path:
        low, cursor = windows[span_id]
        path: Path = []
        children = [row[0] for row in rows if row[1] == span_id and windows[row[0]][0] < windows[row[0]][1]]
        while before := [child for child in children if windows[child][1] <= cursor]:
            end, start, last = max((windows[child][1], windows[child][0], child) for child in before)
            path = [*of(last), (span_id, end, cursor), *path]
            cursor = start
        return [section for section in [(span_id, low, cursor), *path] if section[1] < section[2]]

    return of(rows[0][0])


def kernel_path(rows: Sequence[Row]) -> Path:
    """The sections of one trace as the project finds them."""
    return [
        (rows[span][0], start, end)
        for span, start, end in zip(*path_columns(clip(*_arrays([rows]))), strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
