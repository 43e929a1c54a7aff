"""A flag that is taken is obeyed: each changes its field, somebody reads the field, and what it sets arrives."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from loopback import serving_http

from punie.trace.__main__ import VERBS, build_parser, main
from punie.trace.errors import ExitCode, UsageError
from punie.trace.options import flags_of, read_options

SOURCES = Path(__file__).parents[2] / "src" / "punie" / "trace"
FLAGS = [
    (verb, name, flag)
    for verb in VERBS
    for name, flag in flags_of(import_module(f"punie.trace.commands.{verb}").Options).items()
]
SAMPLES = ("7", "0.5", "10s", "32GB", "5%", "http://127.0.0.1:1", "a:b", "target", "2,4")
REQUIRED = {
    "report": ["source"],
    "show": ["source"],
    "bench": ["speculative"],
    "train": ["concise"],
    "compare": ["a", "b"],
    "decide": ["run"],
    "ship": ["run"],
}


def _options(verb: str, arguments: list[str]) -> Any:  # noqa: ANN401 # each verb has a type of its own
    given = build_parser().parse_args([verb, *REQUIRED.get(verb, []), *arguments])
    return read_options(import_module(f"punie.trace.commands.{verb}").Options, given)


def _field(options: Any, name: str) -> Any:  # noqa: ANN401 # as above
    for item in fields(options):
        value = getattr(options, item.name)
        if item.name == name:
            return value
        if hasattr(value, "__dataclass_fields__") and (found := _field(value, name)) is not _ABSENT:
            return found
    return _ABSENT


_ABSENT = object()


def _settings(verb: str, flag: str) -> Iterator[list[str]]:
    """The flag with each value that may be one of its kind."""
    parser = build_parser()._subparsers._group_actions[0].choices[verb]  # type: ignore[union-attr,index]  # noqa: SLF001
    action = next(item for item in parser._actions if flag in item.option_strings)  # noqa: SLF001
    if action.nargs == 0:
        yield [flag]
        return
    for value in (*(action.choices or ()), *SAMPLES):
        yield [flag, value]


@pytest.mark.parametrize(("verb", "name", "flag"), FLAGS, ids=[f"{verb} {flag}" for verb, _, flag in FLAGS])
def test_every_flag_changes_its_field_or_is_refused_by_its_name(verb: str, name: str, flag: str) -> None:
    before, refusals, taken = _field(_options(verb, []), name), [], []
    for arguments in _settings(verb, flag):
        try:
            taken.append(_field(_options(verb, arguments), name))
        except UsageError as error:
            refusals.append(error.message)
    assert all(flag in message for message in refusals)
    assert (
        any(value != before for value in taken) or not taken
    )  # a flag that is gone is refused whatever it says


def _declared(kind: Any) -> Iterator[Any]:  # noqa: ANN401 # fields of each verb's own type
    for item in fields(kind):
        if "kind" in item.metadata:
            yield from _declared(item.metadata["kind"])
        elif item.metadata.get("flag"):
            yield item


DECLARED = [
    (verb, item)
    for verb in VERBS
    for item in _declared(import_module(f"punie.trace.commands.{verb}").Options)
]


def test_every_help_line_shows_the_default() -> None:
    silent = [
        (verb, item.metadata["flag"][-1])
        for verb, item in DECLARED
        if item.default is not False
        and "help" in item.metadata["arguments"]
        and item.metadata["arguments"].get("action") != "store_true"
        and "(default: " not in item.metadata["arguments"]["help"]
    ]
    assert silent == []


def test_what_one_field_says_has_one_flag_and_one_value_name_in_all_verbs() -> None:
    flags_of_field: dict[str, set[str]] = {}
    values_of_flag: dict[str, set[str | None]] = {}
    for _, item in DECLARED:
        name = item.metadata["flag"][-1]
        flags_of_field.setdefault(item.name, set()).add(name)
        values_of_flag.setdefault(name, set()).add(item.metadata["arguments"].get("metavar"))
    assert {field: names for field, names in flags_of_field.items() if len(names) > 1} == {}
    assert {name: values for name, values in values_of_flag.items() if len(values) > 1} == {}


def test_somebody_reads_what_every_flag_sets() -> None:
    read = {
        node.attr
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    assert [(verb, flag) for verb, name, flag in FLAGS if name not in read and name != "engine"] == []


@contextmanager
def model_server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An OpenAI-compatible server that answers at once: its URL, and each request with its key."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({**body, "authorization": self.headers["Authorization"]})
            message = {"role": "assistant", "content": "An interface."}
            self.answer(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": body["model"],
                    "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                }
            )

        def do_GET(self) -> None:
            self.answer({"data": [{"id": "one"}, {"id": "two"}]})

        def answer(self, value: object) -> None:
            text = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with serving_http(Handler) as url:
        yield f"{url}/v1", asked


def _run(url: str, folder: Path, *flags: str) -> int:
    suite = folder / "suite.toml"
    query = '[[query]]\nid = "q"\ntext = "What is WSGI?"\nexpect = "direct"\nmentions = ["interface"]\n'
    suite.write_text(f'name = "one"\nversion = 1\n{query}')
    fixed = ("--suite", str(suite), "--runs", str(folder / "runs"), "--no-export", "--no-stream")
    return main(["run", "--base-url", url, *fixed, *flags])


def test_what_is_asked_of_an_attached_server_arrives_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sekret")
    with model_server() as (url, asked):
        sampling = ("--max-tokens", "77", "--temperature", "0.5", "--top-p", "0.9")
        assert _run(url, tmp_path, "--model", "two", "--api-key-env", "A_KEY", *sampling) == ExitCode.OK
    last = asked[-1]
    found = [last[name] for name in ("model", "max_tokens", "temperature", "top_p", "authorization")]
    assert found == ["two", 77, 0.5, 0.9, "Bearer sekret"]
    assert "max_completion_tokens" not in last
    (run,) = (tmp_path / "runs").iterdir()
    assert [path for path in run.rglob("*") if path.is_file() and b"sekret" in path.read_bytes()] == []
    settings = json.loads((run / "run.json").read_text())["settings"]
    assert (settings["base_url"], settings["top_p"]) == (url, 0.9)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_the_report_of_a_run_is_printed_where_its_file_can_t_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with model_server() as (url, _):
        flags = ("--model", "one", "-o", "/dev/full", "--force", "--format", "json")
        assert _run(url, tmp_path, *flags) == ExitCode.EXPORT
    printed = capsys.readouterr()
    assert json.loads(printed.out)["queries"]
    assert "/dev/full: can't be written" in printed.err


def test_temperature_0_is_kept_as_promised_and_credentials_of_the_url_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with model_server() as (url, asked):
        with_password = url.replace("http://", "http://me:sekret@")
        assert _run(with_password, tmp_path, "--model", "one") == ExitCode.OK
    assert (asked[-1]["temperature"], asked[-1]["max_tokens"]) == (0.0, 1024)
    assert asked[-1]["authorization"].startswith("Basic ")
    printed = capsys.readouterr()
    assert "sekret" not in printed.out + printed.err
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert [path for path in files if b"sekret" in path.read_bytes()] == []


@pytest.mark.parametrize(
    "flags",
    [
        ("--adapter", "x"),
        ("--draft", "demo"),
        ("--num-draft-tokens", "2"),
        ("--allow-vocab-mismatch",),
        ("--cache", "server"),
        ("--host", "127.0.0.1"),
        ("--port", "0"),
        ("--starts", "1"),
        ("--plain-server",),
    ],
)
def test_what_an_attached_server_can_not_be_told_is_refused(
    flags: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("http://127.0.0.1:9/v1", tmp_path, *flags) == ExitCode.USAGE
    assert f"{flags[0]} can't be used with --base-url" in capsys.readouterr().err


def test_one_flag_has_one_explanation_where_its_default_is_the_same() -> None:
    said: dict[tuple[str, str], set[str]] = {}
    for verb, item in DECLARED:
        words, _, default = item.metadata["arguments"]["help"].partition(" (default: ")
        if verb != "train":  # whose flags are about its own data
            said.setdefault((item.metadata["flag"][-1], default), set()).add(words)
    allowed = {
        "--resume",
        "--dry-run",
        "--model",
        "--cache",
        "--content",
        "--draft",
        "--runs",
        "--adapter",  # of a benchmark of drafts: a path alone
    }
    assert {flag: words for (flag, _), words in said.items() if len(words) > 1 and flag not in allowed} == {}
