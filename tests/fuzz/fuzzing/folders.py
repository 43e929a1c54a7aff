"""Folders as one content: an object of file names and texts; folders of a run and of a benchmark, damaged."""

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
    for name, text in json.loads(content).items():
        path = (folder / name).resolve()
        if path.is_relative_to(folder.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))


def make_run(random: Random) -> bytes:
    """A run folder with one of its files damaged, or without it."""
    return _damaged(material.run_folder(), random)


def make_bench(random: Random) -> bytes:
    """A benchmark's folder with one of its files damaged, or without it."""
    return _damaged(material.bench_folder(), random)


def _damaged(texts: Mapping[str, str], random: Random) -> bytes:
    files = {name: text.encode() for name, text in texts.items()}
    for _ in range(random.choice((1, 1, 2))):
        documents = [name for name in files if not name.endswith(_LINES)]
        name = random.choice(documents if documents and random.random() < 0.7 else [*files])
        files[name] = _damage_file(name, files[name], random)
        if random.random() < 0.05:
            del files[name]
    return encode(files)


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


def take_run(content: bytes, folder: Path) -> str:
    """`report` and `decide` of a run folder."""
    from punie.trace.report.builders.decision import build_decision
    from punie.trace.report.builders.run import build_run
    from punie.trace.usecases.decision import decide_from
    from punie.trace.usecases.load import load_source
    from punie.trace.usecases.run_report import Judgement, build_report

    write(content, folder)
    report = build_report(load_source(str(folder)), Judgement())
    oracle.check_document(build_run(report), thorough=len(content) % 4 == 0, pick=len(content))
    oracle.check_document(
        build_decision(decide_from(str(folder), None, Judgement())), thorough=False, pick=len(content) // 7
    )
    return "report and decision"


def take_bench(content: bytes, folder: Path) -> str:
    """The report of a benchmark, as `bench speculative` ends with it."""
    from punie.trace.report.builders.speculative import build_speculative
    from punie.trace.usecases.bench_report import build_bench_report

    write(content, folder)
    document = build_speculative(build_bench_report(folder))
    oracle.check_document(document, thorough=len(content) % 4 == 0, pick=len(content))
    return "benchmark"
