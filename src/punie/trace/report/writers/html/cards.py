"""Verdicts as cards: the answer, its figure on a line against its threshold, what it rests on, what to do now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from punie.trace.model import Verdict
from punie.trace.report.document import Answer
from punie.trace.report.writers.html.markup import Markup, prose, tag
from punie.trace.report.writers.html.ranges import draw_range
from punie.trace.report.writers.html.tables import raw

_SIGNS: Final = {Verdict.YES: "✓", Verdict.NO: "✗", Verdict.UNDECIDED: "?"}


def cards(answers: Sequence[Answer]) -> Markup:
    """All of them beside each other."""
    return tag("div", *map(_card, answers), class_="cards")


def _card(answer: Answer) -> Markup:
    verdict = answer.verdict
    sign = tag("span", _SIGNS[verdict], aria_hidden="true")
    return tag(
        "article",
        tag("header", tag("h3", answer.question), tag("strong", sign, f" {verdict.value}", class_="verdict")),
        tag("p", answer.figure.shown, _evidence(answer), class_="figure", data_v=raw(answer.figure)),
        draw_range(answer.figure, answer.marks, f"{answer.question}: {answer.figure}"),
        tag("p", prose(answer.basis)),
        *(tag("p", prose(step), class_="next") for step in answer.next_steps),
        class_=f"card {verdict.value}",
        data_verdict=f"{answer.slug} {verdict.value}",
    )


def _evidence(answer: Answer) -> Markup | None:
    return tag("small", answer.evidence) if answer.evidence else None
