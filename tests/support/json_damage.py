"""A document of OTLP JSON, and ways to damage any JSON."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

OTLP: Final[dict[str, Any]] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "punie.trace"},
                    "spans": [
                        {
                            "traceId": "a" * 32,
                            "spanId": f"{number:016x}",
                            "parentSpanId": "" if number == 1 else f"{1:016x}",
                            "name": "chat",
                            "kind": 3,
                            "startTimeUnixNano": str(1764000000000000000 + number),
                            "endTimeUnixNano": str(1764000000000000100),
                            "attributes": [
                                {"key": "n", "value": {"arrayValue": {"values": [{"intValue": "5"}]}}}
                            ],
                            "events": [{"name": "e", "timeUnixNano": "1", "attributes": []}],
                            "status": {"code": 2},
                        }
                        for number in (1, 2)
                    ],
                }
            ],
        }
    ]
}
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**60, max_value=2**70),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        ["9" * 30, "-1", "٣", "\ud800", "=" * 24, [], {}, [[]], [None], {"values": 1}, [{"key": {}}]]
    ),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner)),
)


def paths(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value below `value`."""
    if isinstance(value, dict):
        return [way for key, item in value.items() for way in [(*at, key), *paths(item, (*at, key))]]
    if isinstance(value, list):
        return [way for key, item in enumerate(value) for way in [(*at, key), *paths(item, (*at, key))]]
    return []


def change(document: object, way: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401 # any JSON
    """A copy of `document` with `value` at the end of `way`."""
    copy: Any = json.loads(json.dumps(document))
    owner = copy
    for key in way[:-1]:
        owner = owner[key]
    owner[way[-1]] = value
    return copy
