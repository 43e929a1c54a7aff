"""Folders as one content: an object of file names and texts; folders of a run and of a benchmark, damaged.

The name "" stands for all files of the recorded folder that its text names: a content holds what differs from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

from fuzzing import damage_bytes, damage_json, material, oracle
from fuzzing.json_text import dumps

_LINES: Final = ".jsonl"


def encode(files: Mapping[str, bytes]) -> bytes:
    """One content; bytes that are no UTF-8 survive it."""
    texts = {name: content.decode("utf-8", "surrogateescape") for name, content in files.items()}
    return json.dumps(texts, indent=0).encode()


def write(content: bytes, folder: Path) -> None:
    """The files, in `folder`; names that lead out of it are no input of ours."""
    files = json.loads(content)
    for name, text in {**_recorded(files.pop("", "")), **files}.items():
        path = (folder / name).resolve()
        if text is not None and path.is_relative_to(folder.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))


def _recorded(name: str) -> Mapping[str, str]:
    return {"run": material.run_folder, "bench": material.bench_folder}[name]() if name else {}


def make_run(random: Random) -> bytes:
    """A run folder with one of its files damaged, or without it; most have few spans, or none."""
    return _damaged("run", random)


def make_bench(random: Random) -> bytes:
    """A benchmark's folder with one of its files damaged, or without it."""
    return _damaged("bench", random)


def _damaged(base: str, random: Random) -> bytes:
    recorded = {**_recorded(base)}
    changed: dict[str, str | None] = {}
    for name in recorded:
        if name.endswith(_LINES) and random.random() < 0.8:
            changed[name] = "".join(recorded[name].splitlines(keepends=True)[-random.choice((1, 2, 3)) :])
    for _ in range(random.choice((1, 1, 2))):
        documents = [name for name in recorded if not name.endswith(_LINES)]
        name = random.choice(documents if random.random() < 0.7 else [*recorded])
        text = changed.get(name) or recorded[name]
        damaged = _damage_file(name, text.encode("utf-8", "surrogateescape"), random)
        changed[name] = None if random.random() < 0.05 else damaged.decode("utf-8", "surrogateescape")
    return json.dumps({"": base, **changed}, indent=0).encode()


def _damage_file(name: str, content: bytes, random: Random) -> bytes:
    if random.random() < 0.15 or not name.endswith((".json", _LINES)):
        return damage_bytes.damage(content, random)
    if not name.endswith(_LINES):
        return _damage_document(content, random)
    lines = content.splitlines()
    number = random.randrange(len(lines))
    lines[number] = _damage_document(lines[number], random)
    return b"\n".join(lines) + b"\n"


def _damage_document(content: bytes, random: Random) -> bytes:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):  # it was damaged before
        return damage_bytes.damage(content, random)
    damage_json.damage(document, random)
    return dumps(document)


def take_run(content: bytes, folder: Path, pick: int | None) -> str:
    """`report` and `decide` of a run folder."""
    from punie.trace.report.builders.decision import build_decision
    from punie.trace.report.builders.run import build_run
    from punie.trace.usecases.decision import decide_from
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.run_report import VerdictTargets, build_report

    write(content, folder)
    report = build_report(load_source(str(folder)), VerdictTargets())
    oracle.check_document(build_run(report), pick)
    if pick is None or pick % 4 == 0:
        oracle.check_document(build_decision(decide_from(str(folder), (), VerdictTargets())), pick)
    return "report and decision"


def take_bench(content: bytes, folder: Path, pick: int | None) -> str:
    """The report of a benchmark, as `bench speculative` ends with it."""
    from punie.trace.report.builders.speculative import build_speculative
    from punie.trace.usecases.bench_report import build_bench_report

    write(content, folder)
    oracle.check_document(build_speculative(build_bench_report(folder)), pick)
    return "benchmark"
