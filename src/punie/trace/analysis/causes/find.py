"""All causes of a source, the costliest first."""

from __future__ import annotations

from collections.abc import Sequence

from punie.trace.analysis.causes.model import Cause
from punie.trace.analysis.causes.preamble import preamble_causes
from punie.trace.analysis.causes.prompts import read_prompts, read_tool_calls
from punie.trace.analysis.causes.tools import tool_causes
from punie.trace.analysis.queries.requests import ModelRequest
from punie.trace.model import Span


def find_causes(requests: Sequence[ModelRequest], spans: Sequence[Span]) -> tuple[Cause, ...]:
    """What in the user's own code costs time, from the requests and the spans that they were read from."""
    prompts = read_prompts(requests, spans)
    causes = (*preamble_causes(requests, prompts), *tool_causes(requests, prompts, read_tool_calls(spans)))
    return tuple(sorted(causes, key=lambda cause: -(cause.most_ns or 0)))
