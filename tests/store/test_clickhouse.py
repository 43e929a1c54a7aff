"""ClickHouse as a source: the real client, the real engine, the tables of both writers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import JAEGER_SPANS, OTEL_TRACES, exporter_row, jaeger_row, make_database
from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.errors import InputError
from punie.trace.model import Event, Span, SpanKind, StatusCode
from punie.trace.store.clickhouse.query import PASSWORD_VARIABLE, parse_query
from punie.trace.store.sources import read_source

RECORDED = Path(__file__).parents[1] / "data" / "recorded" / "frameworks"
NOW_NS = 1_764_000_000_123_456_789
WRITERS: dict[str, tuple[str, Callable[[Span], dict[str, Any]], str]] = {
    "collector": (OTEL_TRACES, exporter_row, "otel_traces"),
    "jaeger": (JAEGER_SPANS, jaeger_row, "spans"),
}
SPANS = (
    Span(
        trace_id="0123456789abcdef0123456789abcdef",
        span_id="0123456789abcdef",
        parent_id=None,
        name="query",
        start_ns=NOW_NS,
        end_ns=NOW_NS + 987_654_321,
        kind=SpanKind.SERVER,
        attributes={
            "punie.query.id": "12",
            "punie.query.repeat": 3,
            "punie.score.ok": True,
            "punie.score.failures": ("a", "b"),
            semconv.LATENCY_PREFILL: 12.5,
            "punie.message.digests": ("00", "1e5"),
        },
        status=StatusCode.ERROR,
        status_message="too slow",
        resource={"service.name": "agent", "process.pid": 7},
        scope="punie.trace",
        linked=("d" * 32, "e" * 32),
    ),
    Span("0123456789abcdef0123456789abcdef", "1" * 16, "0123456789abcdef", "never ended", NOW_NS, 0),
    Span("f" * 32, "2" * 16, "3" * 16, "inverted", NOW_NS - 10**9, NOW_NS - 2 * 10**9),
)


@pytest.fixture(scope="module")
def front() -> Iterator[int]:
    """The port of the engine's front."""
    with clickhouse_front() as port:
        yield port


@pytest.fixture(params=WRITERS)
def url(request: pytest.FixtureRequest, front: int) -> Callable[..., str]:
    """Fill a database as a writer does; gives its URL."""
    definition, row, name = WRITERS[request.param]

    def fill(*spans: Span, more: str = "") -> str:
        make_database("otel", definition, map(row, spans), name)
        make_database("otel", "CREATE TABLE other (n Int8) ENGINE = Memory", [], "other")
        return f"clickhouse://{USER}:{quote(PASSWORD)}@127.0.0.1:{front}/otel{more}"

    from chdb_engine import session

    session().query("DROP DATABASE IF EXISTS otel SYNC")
    return fill


def test_a_span_comes_back_as_it_was(url: Callable[..., str]) -> None:
    found = read_source(url(*SPANS))
    assert found.unreadable == ()
    expected = {span.span_id: span for span in SPANS}
    for span in found.spans:
        was = expected.pop(span.span_id)
        resource = dict(span.resource)
        if not was.resource:
            assert resource.pop("service.name", "") == ""
        assert replace(span, resource=resource) == replace(was, resource=dict(was.resource))
    assert not expected


def test_events_keep_their_names_and_nanoseconds(url: Callable[..., str]) -> None:
    span = replace(SPANS[0], events=(Event("first token", NOW_NS + 5), Event("end", NOW_NS + 7)))
    assert read_source(url(span)).spans[0].events == span.events


def test_the_limit_takes_the_newest_traces_and_says_that_it_cut(url: Callable[..., str]) -> None:
    found = read_source(url(*SPANS, more="?limit=1"))
    assert {span.trace_id for span in found.spans} == {SPANS[0].trace_id}
    (note,) = found.notes
    assert note.slug == "cut-by-limit"
    assert "more than 1 traces match" in note.case
    assert PASSWORD not in note.case
    assert found.unreadable == ()
    assert read_source(url(*SPANS, more="?limit=2")).notes == ()


def test_a_service_finds_whole_traces_and_since_leaves_old_ones_out(url: Callable[..., str]) -> None:
    assert {span.name for span in read_source(url(*SPANS, more="?service=agent")).spans} == {
        "query",
        "never ended",
    }
    with pytest.raises(InputError, match="holds no spans"):
        main_report(url(*SPANS, more="?since=1h"))


def main_report(source: str) -> None:
    from punie.trace.usecases.load import load_source

    load_source(source)


def test_a_row_that_is_no_span_is_counted(url: Callable[..., str]) -> None:
    found = read_source(url(SPANS[0], replace(SPANS[1], span_id="no id")))
    assert len(found.spans) == 1
    assert "span id 'no id' is no id" in found.unreadable[0].reason


def test_a_report_is_the_same_as_from_the_files(
    url: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []
    for source in (str(RECORDED), url(*read_source(str(RECORDED)).spans)):
        assert main(["report", source, "--format", "json"]) == 0
        report = json.loads(capsys.readouterr().out)
        report["about"].pop("source")
        report["integrity"] = [one for one in report["integrity"] if one["slug"] != "passed-over-file"]
        reports.append(report)
    from_files, from_database = reports
    assert len(from_files["queries"]) >= len(list(RECORDED.glob("*.jsonl"))) > 5
    assert from_files == from_database


def test_the_password_is_never_printed(
    url: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = url(*SPANS)
    assert main(["report", right]) == 0
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    assert main(["report", right.replace(f":{quote(PASSWORD)}@", "@")]) == 0
    assert main(["report", right.replace(quote(PASSWORD), "wr0ng")]) == 5
    said = "".join(capsys.readouterr())
    assert "Authentication failed" in said
    for secret in (PASSWORD, quote(PASSWORD), "wr0ng"):
        assert secret not in said


def test_compare_never_prints_it_either(
    url: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, written = url(*SPANS), tmp_path / "compared.md"
    for format_ in ("text", "json", "md", "csv"):
        assert main(["compare", right, right, "--format", format_]) == 0
    assert main(["compare", right, right, "-o", str(written)]) == 0
    assert main(["compare", "--a", right, f"{right}?limit=5", "--b", right]) == 2
    assert main(["compare", right, right.replace(quote(PASSWORD), "wr0ng")]) == 5
    out, err = capsys.readouterr()
    shown = right.replace(f":{quote(PASSWORD)}", "")
    assert shown in out
    assert shown in err
    for secret in (PASSWORD, quote(PASSWORD), "wr0ng"):
        assert secret not in out + err + written.read_text()


def test_a_database_without_spans_says_what_it_has(url: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="no table of spans named nothing") as caught:
        read_source(url(more="?table=nothing"))
    assert "other" in caught.value.remedy


@pytest.mark.parametrize("more", [[], ["--in-database"]])
def test_nobody_listens_and_one_error_says_so(more: list[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        # In a process of its own: only there does a log line of the client's come to the user as it would.
        command = [
            sys.executable,
            "-m",
            "punie.trace",
            "report",
            f"clickhouse://127.0.0.1:{port}/otel",
            *more,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (5, "")
    error, remedy, page = done.stderr.splitlines()
    assert error.endswith(f"can't ask ClickHouse at 127.0.0.1:{port}: Connection refused [input]")
    assert remedy.startswith("next: Is it running?")
    assert page.startswith("more: ")


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(InputError, match="client isn't installed") as caught:
        read_source("clickhouse://localhost/otel")
    assert "'clickhouse-connect>=" in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("clickhouse://", "names no host"),
        ("clickhouse://u:pw@h:x/otel", "names no host and port"),
        ("clickhouse://h:0/otel", "nothing answers at port 0"),
        ("clickhouse://u:pw@h/otel?srevice=a", "unknown parameter 'srevice'"),
        ("clickhouse://u:pw@h/otel?since=soon", "since=soon"),
        ("clickhouse://u:pw@h/otel?limit=0", "limit=0"),
    ],
)
def test_a_url_that_can_not_work_is_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_source(url)
    assert "pw" not in caught.value.message


def test_what_a_short_url_means() -> None:
    query = parse_query("clickhouse://localhost")
    assert (query.port, query.database, query.user, query.limit) == (8123, "default", "default", 1000)
    assert parse_query("clickhouse://localhost?secure=1").port == 8443
