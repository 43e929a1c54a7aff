"""The report of a training as programs read it: no question and no answer is in it.

`training.schema.json` is made from these types.

History of the format (`schema_version`):
1: the first.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from punie.trace.analysis.tuning.margin import smallest_margin
from punie.trace.analysis.tuning.training import Training
from punie.trace.model import Verdict
from punie.trace.report.published.base import Published, fields_of, joined

_SHOWN = joined(Training, without=("texts",), base=Published)


class TrainingDocument(_SHOWN, frozen=True, kw_only=True):  # type: ignore[misc, valid-type, call-arg] # made at import
    """One training, as far as it came. `smallest_margin` is what its held-out and control queries can show."""

    schema: Literal["punie.trace.training"] = "punie.trace.training"
    schema_version: Literal[1] = 1
    verdict: Verdict
    smallest_margin: float


def publish_training(training: Training) -> TrainingDocument:
    """The report as its published type."""
    values = {
        **fields_of(TrainingDocument, training),
        "verdict": training.verdict,
        "smallest_margin": smallest_margin(len(training.split.judged)),
    }
    return msgspec.convert(values, TrainingDocument, from_attributes=True)
