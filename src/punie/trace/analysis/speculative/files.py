"""The text of a benchmark's `bench.json` and `preflight.json`.

Format versions: 1, the first.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from punie.trace.analysis.speculative.codec import from_json, to_json
from punie.trace.analysis.speculative.model import FORMAT_VERSION, BenchPlan, Divergence, Preflight
from punie.trace.errors import InputError

T = TypeVar("T", BenchPlan, Preflight)


def encode(value: BenchPlan | Preflight) -> str:
    """The text of the file."""
    return json.dumps(to_json(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def decode_plan(text: str, file: str) -> BenchPlan:
    """The plan in the text of `file`. Raises InputError naming the file and the field that is wrong."""
    return _decode(BenchPlan, text, file)


def decode_preflight(text: str, file: str) -> Preflight:
    """The preflight in the text of `file`. Raises InputError naming the file and the field that is wrong."""
    return _decode(Preflight, text, file)


def encode_divergences(divergences: tuple[Divergence, ...]) -> str:
    """The text of a list of divergences, with the logit gaps that were found for them."""
    return json.dumps(to_json(divergences), indent=2) + "\n"


def decode_divergences(text: str, file: str) -> tuple[Divergence, ...]:
    """The divergences in the text of `file`. Raises InputError."""
    raw = _json(text, file)
    if not isinstance(raw, list):
        raise InputError(f"{file}: not a list")
    return tuple(from_json(Divergence, item, f"{file}[{index}]") for index, item in enumerate(raw))


def _decode(kind: type[T], text: str, file: str) -> T:
    raw = _json(text, file)
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if isinstance(raw, dict) and version != FORMAT_VERSION:
        raise InputError(
            f"{file}: format_version {version}, and this punie-trace reads {FORMAT_VERSION}",
            remedy="Use the version of punie-trace that made the benchmark.",
        )
    return from_json(kind, raw, file)


def _json(text: str, file: str) -> Any:  # noqa: ANN401 # JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}") from error
