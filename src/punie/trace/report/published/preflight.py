"""The preflight of a benchmark as programs read it: `preflight.json` with the reason in words."""

from __future__ import annotations

from typing import Literal

import msgspec

from punie.trace.analysis.speculative.model import Preflight
from punie.trace.report.published.base import Published, fields_of, joined
from punie.trace.report.wording.speculative import preflight_reason

_MEASURED = joined(Preflight, without=("format_version",), base=Published)


class PreflightDocument(_MEASURED):  # type: ignore[misc, valid-type] # made at import
    """What was measured before the long benchmark, and what it predicts."""

    schema: Literal["punie.trace.preflight"] = "punie.trace.preflight"
    schema_version: Literal[1] = 1
    why: str = ""


def publish_preflight(preflight: Preflight) -> PreflightDocument:
    """The preflight as its published type."""
    values = {**fields_of(PreflightDocument, preflight), "why": preflight_reason(preflight)}
    return msgspec.convert(values, PreflightDocument, from_attributes=True)
