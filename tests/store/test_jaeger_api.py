"""Jaeger's query API against a small server that answers as Jaeger's documentation and sources say.

No Jaeger runs here: these tests hold the client against the documented format.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from flaws import find_flaws
from loopback import serving_http

from punie.trace.analysis.integrity.kinds import Effect
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.errors import InputError
from punie.trace.store.jaeger.api import search
from punie.trace.store.jaeger.query import parse_query
from punie.trace.store.sources import read_source

NOW_NS: Final = 1764000000_123456789


def trace(number: int) -> dict[str, Any]:
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "query",
        "kind": 1,
        "startTimeUnixNano": str(1764000000000000000 + number),
        "endTimeUnixNano": "1764000000000000005",
        "status": {},
    }
    return {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
        "scopeSpans": [{"scope": {}, "spans": [span]}],
    }


def result(*numbers: int) -> bytes:
    return json.dumps({"result": {"resourceSpans": [trace(number) for number in numbers]}}).encode()


def error(code: int, message: str) -> bytes:
    return json.dumps({"error": {"httpCode": code, "message": message}}).encode()


NOTHING: Final = (404, error(404, "No traces found"))
SERVICES: Final = (200, json.dumps({"services": ["mlx_lm", "agent"]}).encode())


@dataclass
class Jaeger:
    """What the server answers, by path, and what it was asked. A path that isn't planned gets Go's 404."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, rest: str = "?service=agent") -> str:
        return f"jaeger://127.0.0.1:{self.port}{rest}"


@pytest.fixture
def jaeger() -> Iterator[Jaeger]:
    planned = Jaeger()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            planned.asked.append(self.path)
            status, body = planned.answers.get(urlsplit(self.path).path, (404, b"404 page not found\n"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving_http(Handler) as url:
        planned.port = int(url.rpartition(":")[2])
        yield planned


def test_documented_v3_answer_keeps_nanoseconds(jaeger: Jaeger) -> None:
    jaeger.answers["/api/v3/traces"] = (200, result(1, 2))
    found = read_source(jaeger.url())
    assert (len(found.spans), found.unreadable, found.resolution_ns) == (2, (), 1)
    span = found.spans[0]
    assert (span.start_ns, span.end_ns) == (1764000000000000001, 1764000000000000005)
    assert span.resource == {"service.name": "agent"}


def test_documented_v3_stream_of_results(jaeger: Jaeger) -> None:
    jaeger.answers["/api/v3/traces"] = (200, result(1) + b"\n" + result(2) + b"\n")
    assert len(read_source(jaeger.url()).spans) == 2


def test_documented_v3_parameters(jaeger: Jaeger) -> None:
    jaeger.answers["/ui/api/v3/traces"] = (200, result(1))
    url = jaeger.url("/ui/?service=my%20agent&operation=query&lookback=2h&limit=7")
    search(parse_query(url), url, NOW_NS)
    (asked,) = jaeger.asked
    assert parse_qs(urlsplit(asked).query) == {
        "query.service_name": ["my agent"],
        "query.operation_name": ["query"],
        "query.start_time_min": ["2025-11-24T14:00:00.123456789Z"],
        "query.start_time_max": ["2025-11-24T16:00:00.123456789Z"],
        "query.search_depth": ["8"],
        "query.num_traces": ["8"],
        "query.raw_traces": ["true"],
    }


def test_documented_v3_answer_cut_by_the_limit_says_so(jaeger: Jaeger) -> None:
    jaeger.answers["/api/v3/traces"] = (200, result(1, 2, 3))
    assert read_source(jaeger.url("?service=agent&limit=3")).notes == ()
    found = read_source(jaeger.url("?service=agent&limit=2"))
    assert ([span.span_id for span in found.spans], found.unreadable) == ([f"{2:016x}", f"{3:016x}"], ())
    (note,) = found.notes
    assert note.slug == "cut-by-limit"
    assert "more than 2 traces match" in note.case
    (finding,) = (flaw for flaw in find_flaws(read_traces(found)) if flaw.slug == "cut-by-limit")
    assert (finding.effect, finding.count, finding.examples) == (Effect.DOWNGRADED, 1, (note.case,))


@pytest.mark.parametrize(
    "nothing",
    [
        NOTHING,
        (200, b'{"result": {"resourceSpans": []}}'),
        (200, b'{"result": {}}'),
        (200, b"{}"),
        (200, b""),
    ],
)
@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("agent", "no traces of 'agent' in the last 1h"),
        ("agnet", "no service 'agnet'; it knows agent, mlx_lm"),
    ],
)
def test_documented_v3_nothing_found_says_whether_the_service_is_known(
    jaeger: Jaeger, nothing: tuple[int, bytes], service: str, said: str
) -> None:
    jaeger.answers |= {"/api/v3/traces": nothing, "/api/v3/services": SERVICES}
    with pytest.raises(InputError, match=said) as caught:
        read_source(jaeger.url(f"?service={service}"))
    assert jaeger.url()[:20] in caught.value.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (400, error(400, "malformed parameter query.num_traces")),
            r"refused \(HTTP 400\): malformed parameter",
        ),
        ((500, error(500, "storage gone")), r"refused \(HTTP 500\): storage gone"),
        ((404, b"404 page not found"), r"no answer of Jaeger's API v3 there \(HTTP 404\)"),
        ((302, b""), r"no answer of Jaeger's API v3 there \(HTTP 302\)"),
        ((200, b"<html>"), "answer is no JSON"),
        (
            (200, result(1) + b"\n" + error(500, "storage gone")),
            "ended its answer with an error: storage gone",
        ),
    ],
)
def test_documented_v3_errors_are_told_in_one_line(
    jaeger: Jaeger, answer: tuple[int, bytes], said: str
) -> None:
    jaeger.answers |= {"/api/v3/traces": answer, "/api/v3/services": (200, b"{}")}
    with pytest.raises(InputError, match=said) as caught:
        read_source(jaeger.url())
    assert caught.value.message.startswith(jaeger.url())
    assert "\n" not in caught.value.message
    assert caught.value.remedy


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"jaeger://127.0.0.1:{free.getsockname()[1]}?service=agent"
        with pytest.raises(InputError, match=r"can't ask Jaeger at 127\.0\.0\.1") as caught:
            read_source(url)
    assert "16686" in caught.value.remedy


def test_an_answer_that_breaks_off(jaeger: Jaeger) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(InputError, match="can't ask Jaeger"):
            read_source(f"jaeger://127.0.0.1:{listening.getsockname()[1]}?service=agent")
        thread.join()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("jaeger://", "names no host"),
        ("jaeger://?service=a", "names no host"),
        ("jaeger://localhost:0?service=a", "nothing answers at port 0"),
        ("jaeger://h:x?service=a", "its host or port can't be read"),
        ("jaeger://h", "service= is missing"),
        ("jaeger://h?service=", "service= is missing"),
        ("jaeger://h?service=a&serivce=b", "unknown parameter 'serivce'"),
        ("jaeger://h?service=a&lookback=soon", "lookback=soon"),
        ("jaeger://h?service=a&lookback=0h", "lookback=0h"),
        ("jaeger://h?service=a&limit=0", "limit=0"),
        ("jaeger://h?service=a&limit=ten", "limit=ten"),
    ],
)
def test_a_url_that_can_not_work_is_named(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_source(url)
    assert caught.value.message.startswith(f"{url}: ")


def test_what_a_short_url_means() -> None:
    query = parse_query("jaeger://localhost?service=agent")
    assert (query.port, query.prefix, query.limit) == (16686, "", 1000)
    assert query.lookback_ns == 3_600_000_000_000


def test_arrays_that_jaeger_keeps_as_text_are_arrays_again(jaeger: Jaeger) -> None:
    kept = {
        "punie.message.digests": '["cae8","4b88"]',
        "punie.score.failures": "[]",
        "note": '[not an "array"]',
    }
    answer = json.loads(result(1))
    answer["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = [
        {"key": key, "value": {"stringValue": value}} for key, value in kept.items()
    ]
    jaeger.answers["/api/v3/traces"] = (200, json.dumps(answer).encode())
    (span,) = search(parse_query(jaeger.url()), jaeger.url(), NOW_NS).spans
    assert span.attributes == {
        "punie.message.digests": ("cae8", "4b88"),
        "punie.score.failures": (),
        "note": '[not an "array"]',
    }
