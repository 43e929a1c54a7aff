"""Model requests that were left before their answer was there: the server may go on with them, and nobody is told.

An agent's own time limit leaves them and asks again, and so does a tool that is cancelled with the one beside it.
"""

from __future__ import annotations

from typing import Final

from punie.trace.analysis.calls.addresses import is_model_address
from punie.trace.telemetry.noted import Noted

LEFT_REQUESTS: Final = Noted("urls_of_left_requests")
"""Their URLs, one entry a request."""


def note_left_request(method: str, url: str) -> None:
    """A request to `url` was left; it counts if that is where a model answers."""
    if method == "POST" and is_model_address(url.partition("://")[2].rstrip("/").lower()):
        LEFT_REQUESTS.note(url)
