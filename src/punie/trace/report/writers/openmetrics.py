"""The figures of a report as OpenMetrics text, for whatever keeps metrics of builds.

| family | samples |
| --- | --- |
| `punie_trace_report` | what the report is about, as labels |
| `punie_trace_verdict` | for each verdict 1 at its answer, 0 at the others |
| `punie_trace_estimate_UNIT` | each verdict's figure; `bound` is `low` or `high` at the ends of its interval |
| `punie_trace_SECTION_COLUMN_UNIT` | a column; `row` is the first cell, `level` `total` where others are summed |

Units are base units: seconds, bytes, ratios of 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.model import Verdict
from punie.trace.report.document import Figure, Unit
from punie.trace.report.inert import one_line
from punie.trace.units import NS_PER_S

if TYPE_CHECKING:
    from punie.trace.report.document import Document, Section
    from punie.trace.report.page import Page

_PREFIX: Final = "punie_trace"
_SUFFIXES: Final = {
    Unit.NANOSECONDS: "seconds",
    Unit.BYTES: "bytes",
    Unit.SHARE: "ratio",
    Unit.RATIO: "ratio",
    Unit.PROBABILITY: "ratio",
    Unit.COUNT: "",
}
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Sample:
    """One number. `family` has no unit yet."""

    family: str
    unit: Unit
    labels: Labels
    value: float


def write(document: Document, page: Page) -> str:
    """All figures that are known; what isn't known has no sample."""
    lines = [
        f"# TYPE {_PREFIX}_report info",
        f"# HELP {_PREFIX}_report What the figures are of.",
        f"{_PREFIX}_report_info{_labels({'title': document.title})} 1",
        *_verdicts(document),
    ]
    families: dict[tuple[str, str], dict[str, float]] = {}
    for sample in _samples(document):
        suffix = _SUFFIXES[sample.unit]
        name = "_".join(filter(None, (sample.family, suffix)))
        of_family = families.setdefault((name, suffix), {})
        of_family[_unused(sample.labels, of_family)] = sample.value
    for (name, suffix), values in families.items():
        lines.append(f"# TYPE {name} gauge")
        lines += [f"# UNIT {name} {suffix}"] if suffix else []
        lines += [f"{name}{labels} {value:.15g}" for labels, value in values.items()]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _unused(labels: Labels, taken: Mapping[str, float]) -> str:
    """The labels as text; of rows that are called the same each but the first is counted."""
    number, text = 1, _labels(labels)
    while text in taken:
        number += 1
        text = _labels({**labels, "number": str(number)})
    return text


def _verdicts(document: Document) -> Iterator[str]:
    name = f"{_PREFIX}_verdict"
    answers = {answer.slug: answer.verdict for answer in document.answers}
    if answers:
        yield f"# TYPE {name} stateset"
    for slug, given in answers.items():
        for verdict in Verdict:
            labels = _labels({"question": slug, name: verdict.value})
            yield f"{name}{labels} {int(verdict is given)}"


def _samples(document: Document) -> Iterator[_Sample]:
    for answer in document.answers:
        yield from _figure(f"{_PREFIX}_estimate", {"question": answer.slug}, answer.figure)
    for section in document.sections:
        yield from _table(section)


def _table(section: Section) -> Iterator[_Sample]:
    table = section.table
    for index, row in enumerate(table.rows if table else ()):
        labels = {"row": str(row[0]).strip()}
        if table is not None and index in table.strong:
            labels["level"] = "total"
        for column, cell in zip(table.columns[1:] if table else (), row[1:], strict=True):
            if isinstance(cell, Figure):
                family = "_".join((_PREFIX, *_words(section.slug), *_words(column)))
                yield from _figure(family, labels, cell)


def _figure(family: str, labels: Labels, figure: Figure) -> Iterator[_Sample]:
    values = {"": figure.value, "low": figure.low, "high": figure.high}
    for bound, value in values.items():
        if value is not None:
            scaled = value / NS_PER_S if figure.unit is Unit.NANOSECONDS else value
            yield _Sample(family, figure.unit, {**labels, **({"bound": bound} if bound else {})}, scaled)


def _words(text: str) -> list[str]:
    return re.findall("[a-z0-9]+", text.lower())


def _labels(labels: Labels) -> str:
    pairs = (f'{name}="{one_line(value).translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}"
