"""The process that looks at logits: `python -m punie.trace.bench.logits JOB RESULT`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punie.trace.bench.child import serve_job, show_step


@dataclass(frozen=True, slots=True)
class DivergencePoint:
    """A text and two tokens that could come next."""

    tokens: tuple[int, ...]
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class LogitsJob:
    """The places to look at, with the model."""

    model: str
    adapter: str | None
    places: tuple[DivergencePoint, ...]


@dataclass(frozen=True, slots=True)
class LogitGap:
    """The logits of both tokens of a place, their difference, and the token that the target itself takes."""

    expected: float
    actual: float
    gap: float
    likeliest: int


def look(job: LogitsJob) -> list[LogitGap]:
    """The gap of each place."""
    from punie.trace.bench.preflight.models import load_model

    show_step(f"loading {job.model}")
    model = load_model(job.model, job.adapter).model
    gaps = []
    for number, place in enumerate(job.places):
        show_step(f"difference {number + 1} of {len(job.places)}: reading the model's logits there")
        gaps.append(_gap(model, place))
    return gaps


def _gap(model: Any, place: DivergencePoint) -> LogitGap:  # noqa: ANN401 - mlx is untyped
    import mlx.core as mx

    from punie.trace.bench.preflight.models import Reader

    *start, last = place.tokens
    reader = Reader(model)
    if start:
        reader.read(start)
    logits = reader.logits([last])[-1]
    expected, actual = (float(logits[token].item()) for token in (place.expected, place.actual))
    return LogitGap(expected, actual, expected - actual, likeliest=int(str(mx.argmax(logits).item())))


if __name__ == "__main__":
    serve_job(look, LogitsJob)
