"""Links to waterfalls: one for each query, and only if Jaeger's page is there."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler

import pytest
from otlp_receiver import serving

from punie.trace.errors import UsageError
from punie.trace.model import Span
from punie.trace.usecases.waterfall_links import JaegerPage, LinkedWaterfall, link_lines, waterfalls

TITLE = b"<html><head><title>Jaeger UI</title>"
PLACEHOLDER = b"<title>Test Page</title> This is not the Jaeger UI you are looking for!"


def page(body: bytes, status: int = 200) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            """Silent."""

    return Handler


def _query(number: int, query_id: str, wall_ns: int, name: str = "query") -> Span:
    start = 1_000 * number
    attributes = {"punie.query.id": query_id}
    return Span(f"{number:032x}", f"{number:016x}", None, name, start, start + wall_ns, attributes=attributes)


SPANS = (
    _query(4, "views", 900_000_000),
    _query(1, "views", 500_000_000),
    _query(2, "orm", 2_000_000_000),
    _query(3, "warm", 5, name="warm-up"),
)


def test_the_slowest_repeat_of_each_query_in_the_order_asked() -> None:
    assert waterfalls(SPANS) == (
        LinkedWaterfall("views", f"{4:032x}", 900_000_000, 2),
        LinkedWaterfall("orm", f"{2:032x}", 2_000_000_000, 1),
    )


def test_each_link_fits_into_80_columns() -> None:
    with serving(page(TITLE)) as port:
        lines = link_lines(SPANS, JaegerPage.of(f"http://127.0.0.1:{port}/"), sent=True)
    assert lines == (
        "waterfall of views, 900 ms, the slowest of 2 repeats:",
        f"  http://127.0.0.1:{port}/trace/{4:032x}",
        "waterfall of orm, 2.000 s:",
        f"  http://127.0.0.1:{port}/trace/{2:032x}",
    )
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (page(PLACEHOLDER), "something else answers there"),
        (page(b"<title>Grafana</title>"), "something else answers there"),
        (page(TITLE, 503), "HTTP 503"),
    ],
)
def test_another_page_gets_no_links_and_is_named(handler: type[BaseHTTPRequestHandler], said: str) -> None:
    with serving(handler) as port:
        (line,) = link_lines(SPANS, JaegerPage.of(f"http://127.0.0.1:{port}"), sent=True)
    assert line.startswith(f"no waterfalls: http://127.0.0.1:{port}: {said}")


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (line,) = link_lines(SPANS, JaegerPage.of(f"http://127.0.0.1:{port}"), sent=True)
    assert "no answer: Connection refused" in line


def test_nothing_sent_is_nothing_to_look_at() -> None:
    assert link_lines(SPANS, JaegerPage.of(None), sent=False) == ()
    (line,) = link_lines(SPANS, JaegerPage.of("http://127.0.0.1:1"), sent=False)
    assert "nothing was sent" in line


@pytest.mark.parametrize("url", ["localhost:16686", "ftp://host", "http://"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(UsageError, match="--jaeger"):
        JaegerPage.of(url)
