"""HTML from values: the one place where text becomes markup, so that nothing that somebody wrote is ever obeyed.

`tag` escapes every child and every attribute that isn't markup already, and only `tag` and `joined` make markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final

from punie.trace.report.inert import inert, readable
from punie.trace.report.writers.text_words import QUANTITY

Attribute = str | int | float | bool | None

_VOID: Final = frozenset({"meta", "link", "br", "hr", "input"})  # HTML's elements without an end
# Whose end tags HTML lets one leave out.
_OPEN: Final = frozenset({"thead", "tbody", "tfoot", "tr", "th", "td", "li", "dt", "dd"})
_SHAPES: Final = frozenset({"rect", "line", "circle", "path", "polyline"})  # SVG's that end themselves
_COMMAND: Final = re.compile(r"`([a-z-][A-Za-z0-9 -]{1,80})`")
_FLAG: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_BARE: Final = re.compile(r"[A-Za-z0-9_.%:-]+")  # values that HTML takes without quotes


class Markup(str):
    """HTML, as `tag` made it."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: Attribute) -> Markup:
    """An element. Text among `children` is escaped and made inert; None is left out.

    Attributes that are None or False are left out, True ones have no value. `class_` is `class`, `data_v` is `data-v`.
    """
    inside = "".join(map(_child, children))
    opening = f"<{name}{''.join(_attribute(*item) for item in attributes.items())}"
    if name in _SHAPES and not inside:
        return Markup(f"{opening}/>" if opening[-1] in "\"'" or not attributes else f"{opening} />")
    if name in _VOID:
        return Markup(f"{opening}>")
    return Markup(f"{opening}>{inside}" if name in _OPEN else f"{opening}>{inside}</{name}>")


def joined(parts: Iterable[str | None]) -> Markup:
    """Elements and text after each other."""
    return Markup("".join(map(_child, parts)))


def prose(text: str) -> Markup:
    """A sentence, with its commands as code and no line break inside a quantity or a flag."""
    safe = QUANTITY.sub("\u00a0", escape(readable(text), quote=False))
    flagged = _FLAG.sub(r"<span class=flag>\g<0></span>", _COMMAND.sub(r"<code>\1</code>", safe))
    return Markup(flagged)


def lines(text: str) -> Markup:
    """Somebody's words with their line breaks, each line inert."""
    return Markup("\n".join(escape(readable(line), quote=False) for line in text.splitlines()))


def _child(child: str | None) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return escape(readable(child), quote=False)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = (
        inert(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )
    if _BARE.fullmatch(text):
        return f" {name}={text}"
    return f' {name}="{escape(text, quote=False).replace(chr(34), "&quot;")}"'
