"""What leaves the machine unasked: what is known to be no content, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punie.trace import semconv
from punie.trace.attributes.types import AttributeKind
from punie.trace.telemetry.provider import Telemetry
from punie.trace.telemetry.shipping.content import ContentPolicy
from punie.trace.telemetry.shipping.outgoing import read_line

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


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        (
            "http://ada:secret@host:8080/v1/chat/completions?q=secret#there",
            "http://host:8080/v1/chat/completions",
        ),
        ("https://[::1]:8000/v1/messages", "https://[::1]:8000/v1/messages"),
        ("https://api.example.com/botSECRET/sendMessage", "https://api.example.com"),
        ("https://api.example.com/customers/ada", "https://api.example.com"),
        ("http://host:99999/v1", None),
    ],
)
def test_an_address_goes_without_user_and_query_and_with_the_path_of_a_model_alone(
    url: str, sent: str | None
) -> None:
    assert ContentPolicy.STRIP.apply({"url.full": url}).get("url.full") == sent


def test_a_path_goes_where_it_is_a_models() -> None:
    paths = {"url.path": "/v1/chat/completions?q=secret", "http.target": "/customers/ada"}
    assert ContentPolicy.STRIP.apply(paths) == {"url.path": "/v1/chat/completions"}


def test_nothing_that_is_content_travels() -> None:
    assert not any(semconv.TABLE.types[name].travels for name in semconv.CONTENT_KEYS)
    assert ContentPolicy.STRIP.apply(dict.fromkeys(semconv.CONTENT_KEYS, "secret")) == {}


HELD_BACK = {
    "gen_ai.usage.input_tokens": "secret",
    "gen_ai.usage.anything": "secret",
    "gen_ai.unknown.name": 1,
    "gen_ai.response.finish_reasons": ["stop", "because the secret was found"],
    "gen_ai.response.id": "an id with words",
    "gen_ai.agent.name": "a\nsecret",
    "gen_ai.request.model": "https://ada:secret@host/model",
    "punie.phase": "secret",
    "punie.message.lengths": ["secret"],
    "punie.score.ok": "secret",
    "punie.of.a.user": 1,
    "process.command_line": "agent --password secret",
    "server.port": 99_999,
    "gen_ai.request.temperature": float("nan"),
}


@pytest.mark.parametrize("name", HELD_BACK)
def test_a_value_in_another_form_than_its_names_stays(name: str) -> None:
    assert ContentPolicy.STRIP.apply({name: HELD_BACK[name]}) == {}


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        ("builtins.ValueError", "builtins.ValueError"),
        ("ValueError: secret", "ValueError"),
        ("no secret was found", "_OTHER"),
        ("500", "500"),
    ],
)
def test_of_an_error_its_type_travels(error: str, sent: str) -> None:
    names = ("error.type", "exception.type", semconv.QUERY_ERROR)
    assert ContentPolicy.STRIP.apply(dict.fromkeys(names, error)) == dict.fromkeys(names, sent)


EXAMPLES = {
    AttributeKind.WORD: "word",
    AttributeKind.NAME: "a name",
    AttributeKind.ERROR: "ValueError",
    AttributeKind.URL: "http://host",
    AttributeKind.TRUTH: True,
    AttributeKind.INTEGER: 1,
    AttributeKind.NUMBER: 0.5,
    AttributeKind.WORDS: ["word"],
    AttributeKind.INTEGERS: [1],
}


@pytest.mark.parametrize("name", semconv.TABLE.types)
def test_every_entry_that_may_travel_travels_in_its_form(name: str) -> None:
    kind = semconv.TABLE.types[name]
    if kind.travels:
        value = next(iter(kind.one_of), None) or EXAMPLES[kind.kind]
        assert ContentPolicy.STRIP.apply({name: value}) == {name: value}
    else:
        assert ContentPolicy.STRIP.apply({name: "secret"}) == {}


READ_BY_REPORTS = [
    name
    for name in semconv.TABLE.types
    if name.startswith(("punie.", "gen_ai.usage.", "gen_ai.latency.")) and name not in semconv.CONTENT_KEYS
]


@pytest.mark.parametrize("name", READ_BY_REPORTS)
def test_what_reports_read_travels(name: str) -> None:
    assert semconv.TABLE.types[name].travels


def test_a_users_own_span_goes_without_its_attributes(telemetry: Telemetry) -> None:
    telemetry.tracer.start_span("look up", attributes={"customer.name": "Ada", "error.type": "x"}).end()
    (line,) = Path(telemetry.journal.path).read_bytes().splitlines()
    assert "Ada" in json.dumps(json.loads(line))  # the journal has it
    (sent,) = read_line(line, ContentPolicy.STRIP).spans
    assert sent.span["name"] == "look up"
    assert sent.span["attributes"] == [{"key": "error.type", "value": {"stringValue": "x"}}]
