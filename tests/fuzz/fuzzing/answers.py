"""Answers over HTTP: of model servers, read while they pass, and of receivers of spans."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzzing import damage_json, material
from fuzzing.json_text import dumps
from fuzzing.odd_values import odd_text
from fuzzing.oracle import Broken
from punie.trace.model import Phase

_START_NS: Final = 1_764_000_000_000_000_000
_MOST_REPEATED: Final = 2_000  # characters
_KINDS: Final = (
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "text/html",
    "",
    "TEXT/Event-Stream; x",
)


def make_answer(random: Random) -> bytes:
    """A model server's answer; events are damaged in their structure, pieces cut anew, times moved."""
    answer = json.loads(json.dumps(random.choice(material.answers())))
    pieces = answer["pieces"] = _some(answer["pieces"], random)
    for _ in range(random.choice((1, 1, 2, 4))):
        number = random.randrange(len(pieces))
        pieces[number] = _damaged_piece(pieces[number], random)
    if random.random() < 0.3:
        pieces[:] = _cut("".join(pieces), random)
    if random.random() < 0.1 and len(piece := random.choice(pieces)) < _MOST_REPEATED:
        pieces.insert(random.randrange(len(pieces) + 1), piece * random.choice((2, 300)))
    if random.random() < 0.2:
        answer["headers"]["content-type"] = random.choice(_KINDS)
    if random.random() < 0.1:
        answer["headers"][random.choice(("content-encoding", "content-length"))] = odd_text(random)
    answer["status"] = random.choice((200, 200, 200, 200, 201, 404, 503))
    answer["steps_ns"] = [random.choice((0, 1, 10**6, 10**6, 10**9, -(10**9))) for _ in pieces]
    return json.dumps(answer, indent=0).encode()


def _some(pieces: list[str], random: Random) -> list[str]:
    """All, or most often the first and the last few, which are what differs from the others."""
    few = random.choice((1, 2, 5))
    return pieces if len(pieces) <= 2 * few or random.random() < 0.1 else pieces[:few] + pieces[-few:]


def _damaged_piece(piece: str, random: Random) -> str:
    head, brace, rest = piece.partition("{")
    try:
        document = json.loads(brace + rest)
    except (ValueError, RecursionError):
        at = random.randrange(len(piece) + 1)
        return piece[:at] + odd_text(random) + piece[at + random.choice((0, 1, 20)) :]
    damage_json.damage(document, random)
    return f"{head}{dumps(document).decode('utf-8', 'replace')}\n\n"


def _cut(text: str, random: Random) -> list[str]:
    size = random.choice((1, 7, 60, 4000))
    return [text[at : at + size] for at in range(0, min(len(text), 400 * size), size)] or [""]


def take_answer(content: bytes, _: Path, __: int | None) -> str:
    """What `telemetry/http` reads of an answer while it passes: phases inside the request, of a length that can be."""
    from punie.trace.telemetry.http.response import reader_for

    answer: dict[str, Any] = json.loads(content)
    now_ns = headers_ns = _START_NS + 10**6
    reader = reader_for(answer["status"], answer["headers"], headers_ns)
    latest_ns = now_ns
    for piece, step_ns in zip(answer["pieces"], answer["steps_ns"], strict=False):
        now_ns += step_ns
        latest_ns = max(latest_ns, now_ns)
        reader.feed(piece.encode("utf-8", "surrogatepass"), now_ns)
    found = reader.phases(_START_NS, latest_ns)
    steps_back = any(step_ns < 0 for step_ns in answer["steps_ns"])
    for phase in found:
        _check_phase(phase.phase, phase.start_ns, phase.end_ns, latest_ns, steps_back=steps_back)
        for name, value in phase.attributes.items():
            if isinstance(value, int | float) and not 0 <= value < 2**63:
                raise Broken(f"{name} is {value}")
    return f"{len(found)} phases"


def _check_phase(phase: Phase, start_ns: int, end_ns: int, latest_ns: int, *, steps_back: bool) -> None:
    if end_ns < start_ns or (not steps_back and not _START_NS <= start_ns <= end_ns <= latest_ns):
        raise Broken(
            f"{phase} from {start_ns - _START_NS} to {end_ns - _START_NS} of {latest_ns - _START_NS}"
        )


RECEIVER: Final[dict[str, Any]] = {
    "status": 200,
    "reason": "OK",
    "headers": {"content-type": "application/json", "retry-after": "3", "location": "http://other.example/"},
    "body": {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}},
}


def make_receiver(random: Random) -> bytes:
    """A receiver's answer to spans, or to a question for them."""
    answer = json.loads(json.dumps(RECEIVER))
    damage_json.damage(answer["body"], random)
    body = dumps(answer["body"]).decode("utf-8", "replace")
    if random.random() < 0.3:
        body = random.choice(
            (odd_text(random), body[: random.randrange(len(body) + 1)], "\x08\x01\x12" + body)
        )
    answer["status"] = random.choice((200, 200, 200, 202, 301, 400, 404, 413, 429, 500, 503))
    answer["headers"]["content-type"] = random.choice(
        ("application/json", "application/x-protobuf", "", "text/plain", odd_text(random))
    )
    answer["headers"]["retry-after"] = random.choice(
        ("3", "-1", "1e9", "9" * 400, "٣", "²", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
         "Mon, 01 Jan 0001 00:00:00 +2359", odd_text(random))
    )  # fmt: skip
    answer["reason"] = odd_text(random)
    return json.dumps(answer | {"body": body}, indent=0).encode()


def take_receiver(content: bytes, _: Path, __: int | None) -> str:
    """What `ship` makes of it: an outcome, a pause that ends, a count that can be."""
    from punie.trace.telemetry.shipping.answers import read_response

    answer: dict[str, Any] = json.loads(content)
    body = answer["body"].encode("utf-8", "surrogatepass")
    found = read_response(answer["status"], answer["reason"], answer["headers"], body)
    if not 0 <= found.rejected < 2**63:
        raise Broken(f"{found.rejected} spans rejected")
    if found.retry_after_s is not None and not 0 <= found.retry_after_s < float("inf"):
        raise Broken(f"a pause of {found.retry_after_s} s")
    return str(found.outcome)
