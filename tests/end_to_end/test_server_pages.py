"""The commands of the pages about servers, word for word, against a stub that answers as that server is known to."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from loopback import serving_http
from page_server import WORDS, page_server
from pages import PROJECT, Snippet, commands

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode

PAGES: Final = PROJECT / "docs" / "servers"
TOLD_MS: Final = {"prefill": 25, "decode": 60}  # what bodies tell; the stub takes a little longer
SUITE: Final = """\
name = "one"
version = 1
[[query]]
id = "what-is-wsgi"
text = "What is WSGI?"
expect = "direct"
mentions = ["interface"]
"""
LLAMA_CPP: Final = {"prompt_n": 20, "prompt_ms": 25, "predicted_n": 8, "predicted_ms": 60, "cache_n": 0}
LM_STUDIO: Final = {"time_to_first_token": 0.025, "generation_time": 0.06, "tokens_per_second": 100.0}
TELLS: Final[Mapping[tuple[str, str], tuple[dict[str, Any], str]]] = {
    ("llama-cpp.md", "/v1"): ({"timings": LLAMA_CPP}, "body"),
    ("lm-studio.md", "/v1"): ({}, "stream"),
    ("lm-studio.md", "/api/v0"): ({"stats": LM_STUDIO}, "body"),
    ("ollama.md", "/v1"): ({}, "stream"),
    ("mlx-lm.md", "/v1"): ({}, "stream"),
    ("vllm.md", "/v1"): ({}, "stream"),
}
"""By page and path: what that server adds to its last chunk, and from where the page says that phases are known."""


def _examples() -> list[tuple[Snippet, str]]:
    found = [
        (one, re.search(r"--base-url (\S+)", one.text)) for one in commands() if one.page.parent == PAGES
    ]
    return [(one, match[1]) for one, match in found if match]


def test_every_server_page_has_an_example() -> None:
    found = {(one.page.name, urlsplit(url).path) for one, url in _examples() if one.page.name != "index.md"}
    assert found == TELLS.keys()


@pytest.mark.parametrize(
    ("command", "url"), [pair for pair in _examples() if pair[0].page.name != "index.md"], ids=str
)
def test_the_example_runs_and_phases_are_known_from_where_the_page_says(
    command: Snippet, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = urlsplit(url).path
    extra, known_from = TELLS[command.page.name, path]
    words = shlex.split(command.text)[1:]
    model = words[words.index("--model") + 1] if "--model" in words else "the-only-one"
    others = [] if model == "the-only-one" else ["another"]
    suite = tmp_path / "suite.toml"
    suite.write_text(SUITE)
    with serving_http(page_server(path, [model, *others], extra)) as here:
        asked = [word.replace(url, here + path) for word in words]
        more = ["--suite", str(suite), "--runs", str(tmp_path / "runs"), "--no-export", "--format", "json"]
        assert main([*asked, *more, "--gate", "accuracy"]) in (ExitCode.OK, ExitCode.GATE_UNDECIDED)
    report = json.loads(capsys.readouterr().out)
    (query,) = report["queries"]
    assert [query["provenance"][phase] for phase in ("prefill", "decode")] == [[known_from], [known_from]]
    assert query["ok"] is True
    if known_from == "body":
        told = {phase: query["phases_ns"][phase] / 1e6 for phase in TOLD_MS}
        assert told == pytest.approx(TOLD_MS)
    assert query["output_tokens"] == len(WORDS)
