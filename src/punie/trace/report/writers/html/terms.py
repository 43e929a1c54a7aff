"""Words that the page explains: a link from where one stands to its entry at the end of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from punie.trace.report.wording.glossary import GLOSSARY
from punie.trace.report.writers.html.markup import Markup, prose, tag

_LINK: Final = re.compile('href="#w-([a-z0-9-]+)"')


def term(name: str) -> str:
    """The name, as a link to what it means if the glossary has it."""
    if name not in GLOSSARY:
        return name
    return tag("a", name, href=f"#w-{_slug(name)}", class_="term")


def glossary(body: str) -> Markup | None:
    """What the terms in `body` mean, those that it links to alone; None where it links to none."""
    used = set(_LINK.findall(body))
    entries = [entry for name in GLOSSARY if _slug(name) in used for entry in _entry(name)]
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
    yield tag("dd", prose(GLOSSARY[name]))


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower().replace("%", "percent").replace("/", "of")).strip("-")
