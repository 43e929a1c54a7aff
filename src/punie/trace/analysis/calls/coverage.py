"""Model calls that last longer than the requests below them: then these are not all that the call waited for.

    call   |---------------------------------------------|
    POST     |-- headers --|                                 its body was read after it, and nobody timed that
    POST     |-|                                             it fetched a token: the model was asked otherwise
    POST                  |---- /chat/completions ----|      all of it, however long the client took before and after

Whether an HTTP span lasts to the body's end can't be told by who made it: that of `requests` does, but for a stream.
So it is told by what is seen, unless the span itself says that it ends with the last byte, as ours do. A client has
little to do once an answer is there, and not much more before it asks; between a failed request and the next one it
waits to try again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.calls.addresses import address, is_model_address
from punie.trace.analysis.trees.roles import can_be_model_request, has_failed, is_server
from punie.trace.model import Span

AFTER_PERCENT: Final = 10
"""More of a call than this after a request that may be the model's: its answer was still being read."""

OUTSIDE_PERCENT: Final = 50
"""More of a call than this outside of all its requests: they are not what it waited for."""


def covers(requests: Iterable[Span], call: Span) -> bool:
    """Whether `requests` (HTTP and server spans) leave no more of `call` open than a client works itself."""
    outside_ns, after_ns, reached_ns = 0, 0, call.start_ns
    had_request = tries_again = False
    spans = sorted(requests, key=lambda span: span.start_ns)
    if any(_is_what_it_waited_for(span, call) for span in spans):
        return True
    for span in spans:
        gap_ns = min(span.start_ns, call.end_ns) - reached_ns
        if gap_ns > 0 and not tries_again:
            outside_ns += gap_ns
            after_ns += gap_ns if had_request else 0
        if span.end_ns > reached_ns:
            reached_ns, tries_again = span.end_ns, has_failed(span)
        had_request = had_request or is_server(span) or can_be_model_request(span)
    rest_ns = max(0, call.end_ns - reached_ns)
    outside_ns, after_ns = outside_ns + rest_ns, after_ns + (rest_ns if had_request else 0)
    lasted_ns = max(0, call.duration_ns)
    goes_on = after_ns * 100 > lasted_ns * AFTER_PERCENT and not any(map(_was_read_whole, spans))
    return not goes_on and outside_ns * 100 <= lasted_ns * OUTSIDE_PERCENT


def _was_read_whole(request: Span) -> bool:
    written = semconv.text(request.attributes, semconv.HTTP_ENDS_AT)
    return written == semconv.HTTP_ENDS_AT_LAST_BYTE and can_be_model_request(request)


def _is_what_it_waited_for(request: Span, call: Span) -> bool:
    """Whether it is a whole answer of the model's; an error is one where it was the call's."""
    ended_it = not has_failed(request) or has_failed(call)
    return ended_it and _was_read_whole(request) and is_model_address(address(request))
