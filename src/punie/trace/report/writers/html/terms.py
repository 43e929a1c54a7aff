"""Words that the page explains: a link from where one stands to its entry at the end of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from punie.trace.report.wording.findings import FINDINGS, pieces
from punie.trace.report.wording.glossary import GLOSSARY
from punie.trace.report.writers.html.markup import Markup, joined, prose, tag

_MEANINGS: Final = {**GLOSSARY, **FINDINGS}
_LINK: Final = re.compile('href="#w-([a-z0-9-]+)"')


def term(name: str) -> str:
    """The name, as a link to what it means if it is explained."""
    if name not in _MEANINGS:
        return name
    return tag("a", name, href=f"#w-{_slug(name)}", class_="term")


def with_findings(text: str, write: Callable[[str], str] = prose) -> Markup:
    """Text in which each finding that it counts is a link to what it means; `write` makes markup of the rest."""
    return joined(term(piece) if at % 2 else write(piece) for at, piece in enumerate(pieces(text)))


def glossary(body: str) -> Markup | None:
    """What the terms in `body` mean, those that it links to alone; None where it links to none."""
    used = set(_LINK.findall(body))
    entries = [entry for name in _MEANINGS if _slug(name) in used for entry in _entry(name)]
    if not entries:
        return None
    return tag(
        "section",
        tag("h2", "What the words mean", id="h-words"),
        tag("dl", *entries, class_="words"),
        id="words",
        aria_labelledby="h-words",
    )


def _entry(name: str) -> Iterator[Markup]:
    yield tag("dt", name, id=f"w-{_slug(name)}", tabindex="-1")
    yield tag("dd", prose(_MEANINGS[name]))


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower().replace("%", "percent").replace("/", "of")).strip("-")
