"""The kinds of input: how each is made from sound material, and what takes it.

A kind's `make` gives the content of one input, `take` hands it to the program and says what came of it: "refused" with
the slug of our error, or what it made. Whatever else is raised is a fault. `pick` chooses the formats of the report
(None: all). A new kind is two functions and a line here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final

from fuzzing import (
    answers,
    damage_bytes,
    damage_json,
    databases,
    folders,
    material,
    oracle,
    surface,
    toml_text,
)
from fuzzing.json_text import dumps
from fuzzing.reported import reported
from punie.trace.errors import PunieTraceError


@dataclass(frozen=True, slots=True)
class Kind:
    """`share`: of a hundred inputs, about how many are of it."""

    share: float
    make: Callable[[Random], bytes]
    take: Callable[[bytes, Path, int | None], str]


def make_trace(random: Random) -> bytes:
    """A file of JSON, its structure damaged, or its bytes, or its packing."""
    content = material.choose(material.traces(), random)
    content = (
        _damaged_documents(content, random) if random.random() < 0.8 else damage_bytes.damage(content, random)
    )
    return damage_bytes.pack(content, random) if random.random() < 0.1 else content


def _damaged_documents(content: bytes, random: Random) -> bytes:
    """One document of the file is damaged in its structure; where it is none, its bytes are."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        lines = content.splitlines() or [b""]
        number = random.randrange(len(lines))
        lines[number] = _damaged_line(lines[number], random)
        return b"\n".join(lines) + b"\n"
    damage_json.damage(document, random)
    return dumps(document)


def _damaged_line(line: bytes, random: Random) -> bytes:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return damage_bytes.damage(line, random)
    damage_json.damage(document, random)
    return dumps(document)


def make_binary(random: Random) -> bytes:
    """Spans as OTLP protobuf, Jaeger, Zipkin, Langfuse or Tempo JSON, as other tools write them, damaged."""
    if random.random() < 0.4:
        content = material.choose(material.written("otlp_protobuf"), random)
        return damage_bytes.damage(
            damage_bytes.pack(content, random) if random.random() < 0.3 else content, random
        )
    name = random.choice(("jaeger_json", "zipkin_json", "otlp_json"))
    return _damaged_documents(material.choose(material.written(name), random), random)


def take_trace(content: bytes, folder: Path, pick: int | None) -> str:
    """`report` of a file, in a format or all of them."""
    path = folder / "spans.json"
    path.write_bytes(content)
    return reported(str(path), pick)


def make_pair(random: Random) -> bytes:
    """Two files of spans, side A and side B; each may be whole."""
    sides = [material.choose(material.traces(), random), make_trace(random)]
    return folders.encode(
        {f"{name}.json": side for name, side in zip("ab", random.sample(sides, 2), strict=True)}
    )


def take_pair(content: bytes, folder: Path, pick: int | None) -> str:
    """`compare`."""
    from punie.trace.report.builders.comparison import build_comparison
    from punie.trace.usecases.comparison import compare_sources

    folders.write(content, folder)
    report = compare_sources((str(folder / "a.json"),), (str(folder / "b.json"),))
    oracle.check_document(build_comparison(report), pick)
    return "comparison"


def take_parts(content: bytes, folder: Path, pick: int | None) -> str:
    """`report --by`."""
    from punie.trace.analysis.summary.parts import GroupBy, namer, part_of, parts_of
    from punie.trace.report.builders.parts import build_parts
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    path = folder / "spans.json"
    path.write_bytes(content)
    loaded = load_source(str(path))
    report = build_report(loaded, VerdictTargets())
    records = (*report.analysis.warmup, *report.analysis.records)
    for by in GroupBy:
        parts = parts_of(records, namer(by, loaded.spans.spans))
        oracle.check_document(build_parts(report, part_of("", records), by, parts), pick)
    return "parts"


def make_suite(random: Random) -> bytes:
    """A suite's TOML."""
    return toml_text.damaged(random.choice(toml_text.SUITES), random)


def take_suite(content: bytes, folder: Path, _: int | None) -> str:
    """`run --suite`, up to the first question."""
    from punie.trace.workload.suite import load_suite

    path = folder / "suite.toml"
    path.write_bytes(content)
    suite = load_suite(path)
    return "suite" if suite.sha256 and suite.queries else "suite without queries"


def make_plan(random: Random) -> bytes:
    """A benchmark's plan as TOML."""
    return toml_text.damaged(toml_text.PLAN, random)


def take_plan(content: bytes, folder: Path, _: int | None) -> str:
    """`bench speculative --plan`, up to the first server."""
    from punie.trace.bench.options import BenchOptions
    from punie.trace.bench.plan_options import merge_options

    path = folder / "plan.toml"
    path.write_bytes(content)
    merge_options(BenchOptions(), plan_file=path)
    return "options"


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "trace": Kind(33.0, make_trace, take_trace),
        "binary": Kind(10.0, make_binary, take_trace),
        "rows": Kind(4.0, databases.make_rows, databases.take_rows),
        "parquet": Kind(0.5, databases.make_parquet, databases.take_parquet),
        "pair": Kind(2.0, make_pair, take_pair),
        "parts": Kind(2.0, make_trace, take_parts),
        "run": Kind(5.0, folders.make_run, folders.take_run),
        "bench": Kind(0.5, folders.make_bench, folders.take_bench),
        "suite": Kind(7.0, make_suite, take_suite),
        "plan": Kind(5.0, make_plan, take_plan),
        "answer": Kind(12.0, answers.make_answer, answers.take_answer),
        "receiver": Kind(6.0, answers.make_receiver, answers.take_receiver),
        "url": Kind(6.0, surface.make_url, surface.take_url),
        "command": Kind(3.0, surface.make_command, surface.take_command),
        "tool": Kind(4.0, surface.make_tool, surface.take_tool),
    }
)


def take(kind: str, content: bytes, folder: Path, pick: int | None = None) -> str:
    """What came of one input, in an empty folder; raises for a fault."""
    try:
        return KINDS[kind].take(content, folder, pick)
    except PunieTraceError as error:
        check_refusal(error)
        return f"refused: {error.slug}"


def check_refusal(error: PunieTraceError) -> None:
    """It says something, and on a line."""
    if not error.message.strip():
        raise oracle.Broken("a refusal that says nothing")
    if "\n" in error.message:
        raise oracle.Broken(f"a refusal of several lines: {error.message[:200]!r}")


def choose(random: Random) -> str:
    """A kind, as often as its share says."""
    return random.choices([*KINDS], cum_weights=_cumulative())[0]


@cache
def _cumulative() -> list[float]:
    return [*accumulate(kind.share for kind in KINDS.values())]
