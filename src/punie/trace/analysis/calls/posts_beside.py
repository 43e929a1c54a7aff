"""POSTs of a model call that was tried again, where they hang beside the call: they are put below it.

A client that streams loses the context of its call, so its HTTP spans have the call's parent:

    agent   |--------------------------------|
      chat    |----------------------------|
      POST    |- 429 -|                           retry, once it is below the call
      POST                |----------------|

With no failure among them the call is the model's time as it is, and nothing is moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from punie.trace.analysis.calls.addresses import address, is_model_address
from punie.trace.analysis.trees.roles import Role, can_be_model_request, has_failed, role_of
from punie.trace.analysis.trees.shapes import Shape
from punie.trace.model import Span

_Place = tuple[str, str | None]


def may_be_a_request(shape: Shape) -> bool:
    """Whether spans of a shape may be HTTP requests."""
    return shape.role is None or shape.role is Role.HTTP


def with_posts_of_retried_calls(spans: Sequence[Span]) -> Sequence[Span]:
    """`spans`; POSTs to models of the only call that was tried again beside them are below it."""
    requests = [span for span in spans if role_of(span) is Role.HTTP]
    if not any(map(has_failed, requests)):
        return spans
    posts = _by_place(
        [one for one in requests if can_be_model_request(one) and is_model_address(address(one))]
    )
    calls = _by_place([span for span in spans if _place(span) in posts and role_of(span) is Role.CHAT])
    moved: dict[int, str] = {}
    for place, ones in posts.items():
        attempts = {
            call.span_id: [one for one in ones if _is_inside(one, call)] for call in calls.get(place, ())
        }
        tried = {
            call: inside for call, inside in attempts.items() if len({has_failed(one) for one in inside}) > 1
        }
        if len(tried) == 1:
            moved |= {id(one): call for call, inside in tried.items() for one in inside}
    return [replace(span, parent_id=moved[id(span)]) if id(span) in moved else span for span in spans]


def _is_inside(request: Span, call: Span) -> bool:
    return call.start_ns <= request.start_ns <= request.end_ns <= call.end_ns


def _place(span: Span) -> _Place:
    return span.trace_id, span.parent_id


def _by_place(spans: Sequence[Span]) -> Mapping[_Place, Sequence[Span]]:
    found: dict[_Place, list[Span]] = {}
    for span in spans:
        found.setdefault(_place(span), []).append(span)
    return found
