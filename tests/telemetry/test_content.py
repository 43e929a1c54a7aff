"""What leaves the machine unasked: what is known to be no content, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punie.trace import semconv
from punie.trace.telemetry.provider import Telemetry
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.decode import LineDecoder

STAYS = {
    "customer.name": "Ada",
    "logfire.msg": "hello Ada",
    "gen_ai.prompt.0.content": "secret",  # how another instrumentation spells it
    "gen_ai.tool.description": "secret",
    "http.request.header.authorization": "secret",
    "url.query": "q=secret",
    "db.statement": "select secret",
    "punie.query.text": "secret",
}


@pytest.mark.parametrize("name", STAYS)
def test_what_may_be_content_stays(name: str) -> None:
    assert ContentPolicy.STRIP.apply({name: STAYS[name]}) == {}
    assert ContentPolicy.SEND.apply({name: STAYS[name]})[name] == STAYS[name]


@pytest.mark.parametrize("name", ["url.full", "url.path", "http.url", "http.target"])
def test_an_address_goes_without_its_query(name: str) -> None:
    sent = ContentPolicy.STRIP.apply({name: "http://host/path?q=secret#there"})
    assert sent == {name: "http://host/path"}


def test_no_list_names_content_as_harmless() -> None:
    content = {*semconv.CONTENT_KEYS, *semconv.EXCEPTION_TEXT_KEYS}
    assert content.isdisjoint(semconv.TRAVELLING_KEYS)
    assert ContentPolicy.STRIP.apply(dict.fromkeys(content, "secret")) == {}


READ_BY_REPORTS = [
    name
    for constant, value in vars(semconv).items()
    if constant.isupper() and constant.startswith(("QUERY_", "SERVER_", "HTTP_", "LATENCY_", "MESSAGE_"))
    if isinstance(value, str | tuple | frozenset)  # counts and limits are no names
    for name in ([value] if isinstance(value, str) else value)
    if "." in name and name not in semconv.CONTENT_KEYS and not constant.startswith("HTTP_SCOPES")
]


@pytest.mark.parametrize("name", READ_BY_REPORTS)
def test_what_reports_read_travels(name: str) -> None:
    assert ContentPolicy.STRIP.apply({name: 1}) == {name: 1}


def test_a_users_own_span_goes_without_its_attributes(telemetry: Telemetry) -> None:
    telemetry.tracer.start_span("look up", attributes={"customer.name": "Ada", "error.type": "x"}).end()
    (line,) = Path(telemetry.journal.path).read_bytes().splitlines()
    assert "Ada" in json.dumps(json.loads(line))  # the journal has it
    (span,) = LineDecoder(ContentPolicy.STRIP).decode(line)
    assert (span.name, dict(span.attributes or {})) == ("look up", {"error.type": "x"})
