"""Passwords and keys, wherever a user may put one: none is printed, and no file of ours holds one.

Each place is tried with passwords that hold what means something in a URL, beside a server that quotes all it is sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from loopback import serving_http
from mcp import Client
from written_spans import otlp_lines

from punie.trace.__main__ import main
from punie.trace.commands.mcp import make_server
from punie.trace.errors import ExitCode
from punie.trace.model import Span
from punie.trace.urls import without_password, without_passwords
from punie.trace.usecases.tool_answers import ToolAnswers

LEFT, RIGHT = "Zq7vW", "kT9xM"  # both halves of every password; neither may be seen
JOINTS: Final = ("", "/", "?", "#", "@", ":", "[", "%2F", "%40", "%", "\\", " ", "\x1b", "&key=", "é")
PASSWORDS: Final = tuple(f"{LEFT}{joint}{RIGHT}" for joint in JOINTS)
KEY: Final = f"{LEFT}{RIGHT}"
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def quoting(status: int, *, after_probe: bool = False) -> type[BaseHTTPRequestHandler]:
    """Answers with `status` and all it was sent, credentials decoded; the probe is let through if so asked."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _quote(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            sent = self.rfile.read(length)
            if after_probe and (self.command == "GET" or b'"ping"' in sent):
                self._send(
                    200, json.dumps({"data": [{"id": "m"}], "choices": [{"message": {"content": "."}}]})
                )
                return
            credentials = (self.headers.get("authorization") or "").rpartition(" ")[2]
            try:
                decoded = base64.b64decode(credentials, validate=True).decode()
            except ValueError:
                decoded = credentials
            words = f"you are {decoded}, at http://{quote(decoded)}@{self.headers['host']}{self.path}: {self.headers}"
            error = {"error": {"message": words, "type": words, "code": words}}
            if status == 200:
                self._send(200, f"data: {json.dumps(error)}\n\n", "text/event-stream")
            else:
                self._send(
                    status, json.dumps(error), location=f"http://{decoded}@127.0.0.1:1/{quote(decoded)}"
                )

        def _send(self, code: int, text: str, kind: str = "application/json", location: str = "") -> None:
            self.send_response(code)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            if location:
                self.send_header(
                    "location", location.encode("latin-1", "replace").decode("latin-1").replace("\x1b", "")
                )
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self._quote()

        def do_POST(self) -> None:
            self._quote()

    return Handler


@dataclass(frozen=True)
class Place:
    """Where a password is put. In words, variables and files `{url}` is one with it behind SCHEME, `{run}` a run."""

    words: tuple[str, ...] = ()
    scheme: str = "http"
    path: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (2, 4, 5, 7)
    every: int = 1  # of the passwords; more where a try takes seconds


_ASK: Final = ("run", "--suite", "suite.toml", "--no-export", "--ready-timeout", "5", "--base-url")
_SHIP: Final = ("ship", "{run}")
SUITE: Final = 'name = "s"\nversion = 1\n[[query]]\nid = "q"\ntext = "?"\nexpect = "any"\n'
PLACES: Final[Mapping[str, Place]] = {
    "--base-url": Place((*_ASK, "{url}/v1")),
    "--base-url with a query": Place((*_ASK, "{url}/v1?api_key={password}")),
    "--base-url of another scheme": Place((*_ASK, "{url}/v1"), scheme="ftp"),
    "--base-url with a slash too few": Place((*_ASK, "{url}"), scheme="http:/"),
    "improve --base-url": Place(
        ("improve", "--suite", "suite.toml", "--ready-timeout", "5", "--base-url", "{url}/v1"),
        codes=(2, 4, 5, 9),
    ),
    "ship --otlp": Place((*_SHIP, "--otlp", "{url}")),
    "ship --otlp grpc": Place((*_SHIP, "--otlp", "{url}"), scheme="grpc", every=4),
    "ship --otlp of another scheme": Place((*_SHIP, "--otlp", "{url}"), scheme="otlp"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": Place(_SHIP, variables={"OTEL_EXPORTER_OTLP_ENDPOINT": "{url}"}),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": Place(
        _SHIP, variables={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{url}/v1/traces?token={password}"}
    ),
    "OTEL_EXPORTER_OTLP_ENDPOINT, gRPC without a scheme": Place(
        _SHIP,
        scheme="",
        every=4,
        variables={
            "OTEL_EXPORTER_OTLP_ENDPOINT": "{url}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
        },
    ),
    "OTEL_EXPORTER_OTLP_HEADERS": Place(
        _SHIP,
        variables={
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer {key},x-api-key={key}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "{server}",
        },
    ),
    "LOGFIRE_TOKEN": Place(
        _SHIP, variables={"LOGFIRE_TOKEN": "pylf_v1_us_{key}", "LOGFIRE_BASE_URL": "{server}"}
    ),
    "LOGFIRE_BASE_URL": Place(_SHIP, variables={"LOGFIRE_TOKEN": "x", "LOGFIRE_BASE_URL": "{url}"}),
    "OPENAI_API_KEY": Place((*_ASK, "{server}/v1"), variables={"OPENAI_API_KEY": "{key}"}),
    "HTTP_PROXY": Place(
        (*_ASK, "http://192.0.2.1/v1"), variables={"HTTP_PROXY": "{url}", "ALL_PROXY": "{url}"}
    ),
    "SOCKS proxy": Place((*_ASK, "http://192.0.2.1/v1"), scheme="socks5", variables={"ALL_PROXY": "{url}"}),
    "a proxy of spans": Place((*_SHIP, "--otlp", "http://192.0.2.1:4318"), variables={"HTTP_PROXY": "{url}"}),
    "report jaeger://": Place(("report", "{url}?service=a"), scheme="jaeger"),
    "report jaeger:// with parameters": Place(("report", "jaeger://{host}?password={password}&service=a")),
    "report clickhouse://": Place(("report", "{url}/otel"), scheme="clickhouse"),
    "report clickhouse:// with parameters": Place(("report", "clickhouse://{host}/otel?password={password}")),
    "report --in-database": Place(("report", "{url}/otel", "--in-database"), scheme="clickhouse"),
    "CLICKHOUSE_PASSWORD": Place(
        ("report", "clickhouse://{host}/otel"), variables={"CLICKHOUSE_PASSWORD": "{password}"}
    ),
    "a source that is none": Place(("report", "{url}/traces.json")),
    "a source with a slash too few": Place(("report", "{url}/traces.json"), scheme="http:/"),
    "compare": Place(("compare", "{url}?service=a", "{run}"), scheme="jaeger"),
    "show": Place(("show", "{url}/otel"), scheme="clickhouse"),
    "decide": Place(("decide", "{url}?service=a"), scheme="jaeger"),
    "--jaeger": Place(("doctor", "--bundle", "-", "--jaeger", "{url}"), codes=(0, 1, 2), every=15),
    "--jaeger with a key": Place(
        ("doctor", "--bundle", "-", "--jaeger", "{server}/?token={key}"), codes=(0, 1, 2), every=15
    ),
    "doctor with proxies": Place(
        ("doctor", "--format", "json"), variables={"HTTPS_PROXY": "{url}"}, codes=(0, 1), every=15
    ),
    "--suite": Place(("run", "--no-export", "--suite", "{url}/suite.toml")),
    "a flag that isn't known": Place(("run", "--base-ulr={url}")),
    "a word too many": Place(("run", "{url}")),
    "--config": Place(
        ("run", "--no-export", "--suite", "suite.toml", "--ready-timeout", "5", "--config", "config.toml"),
        files={"config.toml": "[server]\nbase_url = {quoted}\n"},
    ),
    "a plan": Place(
        ("bench", "run", "plan.toml"),
        files={
            "plan.toml": 'suite = "suite.toml"\nblocks = 1\nready_timeout = 5\n[baseline.server]\nbase_url = {quoted}\n'
        },
    ),
    "an arm of a plan": Place(
        ("bench", "run", "plan.toml", "--dry-run"),
        files={
            "plan.toml": 'suite = "suite.toml"\n[[arm]]\nname = "x"\nserver = {{ base_url = {quoted} }}\n'
        },
        codes=(0, 2, 5),
    ),
}


class Scene:
    """A folder in which all happens, temporary files included, and what was said."""

    def __init__(self, folder: Path, run: Path, server: str) -> None:
        self.folder, self.run, self.server = folder, run, server

    def fill(self, text: str, place: Place, account: str, password: str) -> str:
        host = self.server.removeprefix("http://")
        separator = "" if not place.scheme else "/" if place.scheme.endswith("/") else "://"
        url = f"{place.scheme}{separator}{account}@{host}"
        found = {
            "url": url, "quoted": json.dumps(f"{url}/v1"), "password": password, "key": KEY, "host": host,
            "server": self.server, "run": str(self.run),
        }  # fmt: skip
        return text.format(**found)


def leaks(text: str) -> list[str]:
    """The lines that show a password, as it is or as a header carries it."""
    return [
        line
        for line in text.splitlines()
        if any(half in one for half in (LEFT, RIGHT) for one in _read(line))
    ]


def _read(line: str) -> Iterator[str]:
    yield line
    for found in _ENCODED.findall(line):
        whole = found.rstrip("=")
        if len(whole) % 4 != 1:
            yield base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")


def written(folder: Path, given: set[Path]) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in given:
            yield path, path.read_bytes().decode("utf-8", "replace")


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[int, str]]:
    with (
        serving_http(quoting(401)) as refusing,
        serving_http(quoting(307)) as sending,
        serving_http(quoting(500)) as failing,
    ):
        yield {401: refusing, 307: sending, 500: failing}


@pytest.mark.parametrize("name", PLACES)
def test_no_password_is_printed_or_kept(
    name: str,
    servers: Mapping[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place, run = PLACES[name], tmp_path / "a-run" / "spans"
    run.mkdir(parents=True)
    (run / "agent-1.jsonl").write_bytes(otlp_lines([Span("1" * 32, "2" * 16, None, "x", 10**18, 10**18 + 1)]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("punie.trace.urls._remembered", set())
    for variable in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(variable, raising=False)
    seen: list[str] = []
    accounts = [(f"bob:{password}", password) for password in PASSWORDS[:: place.every]]
    if place.scheme != "clickhouse":
        accounts += [(KEY, KEY), (f"{KEY}:", KEY)]
    for number, (account, password) in enumerate(accounts):
        scene = Scene(tmp_path, run.parent, [*servers.values()][number % len(servers)])
        (tmp_path / "suite.toml").write_text(SUITE)
        given = {tmp_path / "suite.toml", *(tmp_path / file for file in place.files)}
        for file, text in place.files.items():
            (tmp_path / file).write_text(scene.fill(text, place, account, password))
        with monkeypatch.context() as patch:
            for variable, text in place.variables.items():
                patch.setenv(variable, scene.fill(text, place, account, password))
            if any("OTEL_EXPORTER" in variable or "LOGFIRE" in variable for variable in place.variables):
                patch.delenv("OTEL_TRACES_EXPORTER", raising=False)
            code = main([scene.fill(word, place, account, password) for word in place.words])
        said = capfd.readouterr()
        if code not in place.codes:
            seen.append(f"{account}: exit code {code}: {said.err}")
        seen += [f"{account}: {line}" for line in leaks(said.out + said.err)]
        for path, text in written(tmp_path, given):
            seen += [f"{account} in {path}: {line}" for line in leaks(f"{path}\n{text}")]
    assert not seen, "\n".join(seen)


@pytest.mark.parametrize("status", [200, 401, 500])
@pytest.mark.parametrize("variable", ["", "OPENAI_API_KEY"])
def test_a_server_that_quotes_passwords_in_answers_to_queries_puts_none_into_a_run(
    status: int, variable: str, tmp_path: Path
) -> None:
    """Of a run that fails at each query: its folder, its report in every format, its bundle."""
    (tmp_path / "suite.toml").write_text(SUITE)
    environment = {**os.environ, **({variable: KEY} if variable else {})}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "punie.trace", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        return done.stdout + done.stderr

    account = "" if variable else f"bob:{LEFT}%2F{RIGHT}@"
    with serving_http(quoting(status, after_probe=True)) as url:
        said = [run(*_ASK, f"{url.replace('//', f'//{account}')}/v1")]
    (folder,) = (tmp_path / "runs").iterdir()
    said += [
        run("report", str(folder), "--content", "--format", name) for name in ("json", "html", "junit", "csv")
    ]
    said += [run("show", str(folder)), run("doctor", "--bundle", "-", "--run", str(folder))]
    assert leaks("\n".join(said)) == []
    for path, text in written(tmp_path, {tmp_path / "suite.toml"}):
        assert leaks(text) == [], path


@pytest.mark.parametrize("tool", ["report", "show", "compare", "run"])
def test_no_password_is_in_what_a_coding_agent_gets(
    tool: str, servers: Mapping[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def ask(source: str) -> str:
        arguments: dict[str, Any] = {"source": source}
        if tool == "compare":
            arguments = {"a": [source], "b": [source]}
        elif tool == "run":
            arguments = {"base_url": source.replace("clickhouse", "http"), "model": "\x1b[31m"}
        async with Client(make_server(ToolAnswers(runs=tmp_path / "runs"))) as client:
            return str(await client.call_tool(tool, arguments))

    for password in PASSWORDS[:2] if tool == "run" else PASSWORDS:
        answer = asyncio.run(ask(f"clickhouse://bob:{password}@{servers[401].removeprefix('http://')}/otel"))
        assert leaks(answer) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://s3cr3t-t0ken@host/v1", "https://…@host/v1"),
        ("jaeger://s3cr3t-t0ken:@host", "jaeger://…@host"),
        ("http:/s3cr3t-t0ken@host", "http:/…@host"),
        ("clickhouse://default@host/otel", "clickhouse://default@host/otel"),
        ("https://bob:s3cr3t@host", "https://bob@host"),
        ("https://host/a@b", "https://host/a@b"),
        ("C:/icon@2x.png", "C:/icon@2x.png"),
    ],
)
def test_a_user_without_a_password_is_a_token_but_for_a_database(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert without_passwords(f"{url}: refused") == f"{shown}: refused"


def test_no_password_is_in_a_traceback_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(text: str) -> None:
        raise KeyError(f"{text} and {LEFT} of Authorization: Basic {base64.b64encode(KEY.encode()).decode()}")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("punie.trace.usecases.load.load_several", fail)
    assert main(["report", f"jaeger://bob:{LEFT}/{RIGHT}@127.0.0.1:1"]) == ExitCode.BUG
    said = capsys.readouterr()
    (kept,) = tmp_path.iterdir()
    assert str(kept) in said.err
    assert leaks(said.out + said.err + kept.read_text()) == []
    assert kept.stat().st_mode & 0o077 == 0
