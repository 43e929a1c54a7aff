"""Whatever a page shows can be typed: each command is understood, each snippet runs or is read."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from pages import PAGES, PROJECT, Snippet, commands, links, snippets

from punie.trace.__main__ import VERBS, build_parser
from punie.trace.bench.plan_file import read_experiment
from punie.trace.errors import UsageError
from punie.trace.machine.environment import Environment
from punie.trace.toml_files import parse_toml
from punie.trace.workload.suite import make_suite


def understood(words: list[str]) -> None:
    """Of `punie-trace`: as the command line reads it; a verb that is only named is one of ours."""
    if len(words) == 2:
        assert words[1] in VERBS
        return
    options, unknown = build_parser().parse_known_args(words[1:])
    assert not unknown
    assert options.command


def uv_command(words: list[str]) -> None:
    """Of `python3 -m pip install uv …` and `python3 -m uv …`: .ci/run executes those of the README, word for word."""
    if words[1:4] == ["-m", "pip", "install"]:
        assert re.fullmatch(r"uv==[\d.]+", words[4])
        assert f"uv=={UV_VERSION}" == words[4]
        return
    assert words[1:3] == ["-m", "uv"]
    assert words[3:5] in (["sync", "--locked"], ["run", "--no-dev"], ["lock"])
    if words[3] == "run":
        understood(words[5:])


def script(words: list[str]) -> None:
    """Of `python FILE` and `python -m PACKAGE`: it is there and shows its help, or is a file that compiles."""
    if words[1:3] == ["-m", "pytest"]:
        assert (PROJECT / words[3]).is_dir()
        return
    if words[1:3] == ["-m", "sphinx"]:  # .ci/run builds the site
        return
    path = PROJECT / (f"{words[2]}/__main__.py" if words[1] == "-m" else words[1])
    compile(path.read_text(), str(path), "exec")


def check_script(words: list[str]) -> None:
    """Of `.ci/run`: with a flag that it has."""
    assert words[1:] in ([], ["--quick"])


def activation(words: list[str]) -> None:
    """Of `. .venv/bin/activate` and what makes the folder."""
    assert words[-1].endswith("activate") or "venv" in words


def compose(words: list[str]) -> None:
    """Of `docker compose`: flags that were tried with the file by Compose itself, which needs no engine for that."""
    assert words[1] == "compose"
    assert set(words[2:]) <= {"up", "down", "-d", "--wait", "--profile", "scale", "-v"}


def one_of_others(words: list[str]) -> None:
    """Of a program that isn't ours: ours behind it, after `&&` or as what `uvx --from` runs, is understood."""
    if "punie-trace" in words:
        understood(words[words.index("punie-trace") :])


UV_VERSION = re.findall(r"uv==([\d.]+)", (PROJECT / ".ci/run").read_text())[0]
CHECKS: MappingProxyType[str, Callable[[list[str]], None]] = MappingProxyType(
    {
        "punie-trace": understood,
        "python3": uv_command,
        "python": script,
        ".": activation,
        "docker": compose,
        ".ci/run": check_script,
        **dict.fromkeys(("cd", "sed", "printf", "uvx", "llama-server"), one_of_others),
    }
)


@pytest.mark.parametrize("command", commands(), ids=lambda command: f"{command}: {command.text}"[:90])
def test_every_command_is_understood(command: Snippet) -> None:
    words = shlex.split(command.text)
    assert words[0] in CHECKS, f"a kind of command that no test knows: {command.text}"
    CHECKS[words[0]](words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_command_stands_in_a_block_of_its_language(page: Path) -> None:
    """Where it is understood, and run or marked; an indented line is neither."""
    assert re.findall(r"^    (?:punie-trace|python3?|uvx?|cd|sed) .*", page.read_text(), re.MULTILINE) == []


def test_a_command_that_is_wrong_is_seen() -> None:
    with pytest.raises(UsageError):
        understood(shlex.split("punie-trace reprot runs/1"))
    with pytest.raises(AssertionError):
        understood(shlex.split("punie-trace report runs/1 --fromat json"))


@pytest.mark.parametrize("snippet", snippets("toml"), ids=str)
def test_every_suite_and_every_plan_is_read(snippet: Snippet, tmp_path: Path) -> None:
    if "[[arm]]" in snippet.text:
        (tmp_path / "plan.toml").write_text(snippet.text)
        assert read_experiment(tmp_path / "plan.toml", "plan", Environment("now", {}, {})).arms
        return
    assert make_suite(parse_toml(snippet.text.encode(), str(snippet)), str(snippet)).queries


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=str)
def test_every_yaml_snippet_is_read(snippet: Snippet) -> None:
    assert yaml.safe_load(snippet.text)


@pytest.mark.parametrize("snippet", snippets("sql"), ids=str)
def test_every_query_is_parsed_by_clickhouse(snippet: Snippet) -> None:
    chdb = pytest.importorskip("chdb")
    assert "CreateQuery" in str(chdb.query(f"EXPLAIN AST {snippet.text}"))


RECORDED_RUN = PROJECT / "tests/data/recorded/frameworks/openllmetry_langgraph.jsonl"
PRELUDE = """\
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
agent = Agent(TestModel(), name="example")
"""


@pytest.mark.parametrize("snippet", snippets("python"), ids=str)
def test_every_python_snippet_runs(snippet: Snippet, tmp_path: Path) -> None:
    """In a process and a folder of its own, with an `agent` and the runs that it names, as the reader has them."""
    for run in set(re.findall(r'"(runs/[^"]+)"', snippet.text)):
        (tmp_path / run).mkdir(parents=True)
        shutil.copy(RECORDED_RUN, tmp_path / run)
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + snippet.text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,  # importing PydanticAI takes seconds, and more on a busy machine
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_leads_to_a_file(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


def test_the_kinds_of_snippets_are_those_that_are_tested() -> None:
    languages = set(re.findall(r"^ *```(\w+)", "\n".join(page.read_text() for page in PAGES), re.MULTILINE))
    assert languages <= {"sh", "toml", "yaml", "sql", "python"}
