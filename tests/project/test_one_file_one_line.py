"""A new format, source or verb is a file and its name in a registry: each is added to a copy of the code, and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

FORMAT = """\
from punie.trace.report.document import Document
from punie.trace.report.page import Page


def write(document: Document, page: Page) -> str:
    return f"# {document.title} of {len(document.sections)} sections\\n"
"""
SOURCE = """\
from pathlib import Path

from punie.trace.model import Span, SpanSet
from punie.trace.store.files.place import Place
from punie.trace.store.source import Source


def read(place: Place) -> SpanSet:
    name, start_ns, end_ns = Path(place.text).read_text().split()
    span = Span("1" * 32, "2" * 16, None, name, int(start_ns), int(end_ns))
    return SpanSet((span,))


LINES = Source("lines of three words", lambda place: place.text.endswith(".words"), read)
"""
LEVER = """\
from dataclasses import replace

from punie.trace.analysis.experiment.arms import ExpectedOutput
from punie.trace.bench.levers.lever import Lever, Scope

LEVER = Lever(
    name="cold",
    title="no randomness",
    scope=Scope.REQUEST,
    output=ExpectedOutput.SAME,
    apply=lambda arm, _value: replace(arm, request=replace(arm.request, temperature=0.0)),
    applies=lambda arm: "",
    propose=lambda evidence: ("",),
    unpredicted="it costs no time",
)
"""
PLAN = """\
blocks = 2
[baseline.server]
base_url = "http://127.0.0.1:9/v1"
[baseline.agent]
workspace = "."
[[arm]]
name = "cold"
levers = ["cold"]
"""
VERB = """\
from dataclasses import dataclass

from punie.trace.console.standard_streams import write_out
from punie.trace.options import argument

HELP = "say hello"
DESCRIPTION = "Says hello."
EXAMPLES = ("hello you",)


@dataclass(frozen=True, slots=True)
class Options:
    whom: str = argument("WHOM", "who is greeted")


def execute(options: Options) -> int:
    write_out(f"hello, {options.whom}\\n")
    return 0
"""


@dataclass(frozen=True)
class Copy:
    """The code in a folder of its own."""

    root: Path

    def add(self, file: str, text: str, registry: str, old: str, new: str) -> None:
        """One new file, and the names that `old` in `registry` gets."""
        assert not (self.root / file).exists()
        (self.root / file).write_text(text)
        path = self.root / registry
        before = path.read_text()
        assert before.count(old) == 1
        path.write_text(before.replace(old, new))

    def run(self, *arguments: str) -> str:
        """What the program prints."""
        command = [sys.executable, "-c", "import punie.trace.__main__ as m; m.run()", *arguments]
        environment = os.environ | {"PYTHONPATH": str(self.root.parents[1])}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment, cwd=self.root
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    root = tmp_path / "punie" / "trace"
    ignored = shutil.ignore_patterns("__pycache__", "models", "workspace")
    shutil.copytree(PROJECT / "src" / "punie" / "trace", root, ignore=ignored)
    return Copy(root)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A file in a format that nobody reads yet."""
    path = tmp_path / "trace.words"
    path.write_text("question 1700000000000000000 1700000001500000000")
    return path


def add_source(copy: Copy) -> None:
    copy.add(
        "store/words.py",
        SOURCE,
        "store/sources.py",
        "    Source,\n",
        '    Source,\n    "punie.trace.store.words:LINES",\n',
    )


def test_a_source(copy: Copy, words: Path) -> None:
    add_source(copy)
    report = json.loads(copy.run("report", str(words), "--format", "json"))
    assert [(query["wall_ns"], query["phases_ns"]["framework"]) for query in report["queries"]] == [
        (1_500_000_000,) * 2
    ]


def test_a_format(copy: Copy, words: Path) -> None:
    add_source(copy)
    copy.add(
        "report/writers/outline.py",
        FORMAT,
        "report/formats.py",
        "    MARKDOWN,\n",
        '    MARKDOWN,\n    Format("outline", (".outline",), "punie.trace.report.writers.outline"),\n',
    )
    assert copy.run("report", str(words), "--format", "outline").startswith("# ")
    copy.run("report", str(words), "-o", str(words.with_suffix(".outline")))
    assert words.with_suffix(".outline").read_text() == copy.run("report", str(words), "--format", "outline")


def test_a_verb(copy: Copy) -> None:
    copy.add("commands/hello.py", VERB, "__main__.py", '    "mcp",\n)', '    "mcp",\n    "hello",\n)')
    assert copy.run("hello", "world") == "hello, world\n"
    assert "say hello" in copy.run("--help")
    assert "punie-trace hello you" in copy.run("hello", "--help")


def test_a_lever(copy: Copy, tmp_path: Path) -> None:
    copy.add(
        "bench/levers/cold.py",
        LEVER,
        "bench/levers/registry.py",
        "    Lever,\n",
        '    Lever,\n    "punie.trace.bench.levers.cold:LEVER",\n',
    )
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    assert "cold" in copy.run("bench", "run", str(plan), "--dry-run")
