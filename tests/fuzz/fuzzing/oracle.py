"""What must hold of every report, whatever it was made from; what doesn't hold raises `Broken`."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from html.parser import HTMLParser
from random import Random
from types import MappingProxyType
from typing import Any, Final, NoReturn

import jsonschema

from punie.trace.errors import UsageError
from punie.trace.report.document import Document
from punie.trace.report.formats import FORMATS, JSON, Format
from punie.trace.report.published.schemas import PUBLISHED, schema_path

CONTROLS: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""What a terminal obeys, what can't be seen, and what no encoding has; a line feed is none of them."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 # full width, on purpose
_IS_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
_LOADS: Final = frozenset({"img", "iframe", "object", "embed", "base", "form", "video", "audio"})
_RUNS: Final = ("javascript:", "data:text")
_OFTEN: Final[Mapping[str, float]] = MappingProxyType(
    {"json": 0.2, "text": 0.02, "html": 0.03, "perfetto": 0.02}
)
"""In which share of a campaign's reports a format is looked at; the others, which cost little, in 5 % each."""
_MAY_BE_NEGATIVE: Final = re.compile(
    r"(low|high|change|difference|saved|saves|saving|slower|effect|delta|intercept|slope|slack|gain|decomposition|offset|seed|skew)"
)


class Broken(Exception):  # noqa: N818 # a property, not an error of a program
    """Something that must always hold doesn't."""


def check_document(document: Document, pick: int | None = None) -> None:
    """Write it in the formats that `pick` chooses (None: in all), and look at each."""
    for one in formats_of(pick):
        check_format(one, document)
    if pick is None or pick % 400 == 0:
        check_schema(document, JSON.write(document))


def formats_of(pick: int | None) -> Sequence[Format]:
    """All for None; of a number's reports now and then one format, dear ones rarely."""
    if pick is None:
        return FORMATS
    chosen = Random(pick).random()  # noqa: S311 # to be repeated, not to be secret
    return [one for one in FORMATS if _falls(one, chosen)]


def _falls(one: Format, chosen: float) -> bool:
    low = sum(_OFTEN.get(other.name, 0.05) for other in FORMATS[: FORMATS.index(one)])
    return low <= chosen < low + _OFTEN.get(one.name, 0.05)


def check_format(one: Format, document: Document) -> None:
    """Write it in one format, unless it is of those that not every report can be written in."""
    try:
        written = one.write_bytes(document)
    except UsageError:
        if one.needs:
            return
        raise
    if not one.is_binary:
        CHECKS.get(one.name, check_lines)(written.decode())


def check_json(text: str) -> None:
    """It is JSON without NaN, phases sum to the wall time, and nothing is negative that can't be."""
    check_encoding(text)
    found = json.loads(text, parse_constant=lambda name: _broken(f"{name} in JSON"))
    for path, value in _leaves(found):
        if value < 0 and not _MAY_BE_NEGATIVE.search(path):
            _broken(f"{path} is negative: {value}")
    for query in found.get("queries", ()) if isinstance(found, dict) else ():
        check_sums(query)


def check_sums(query: Any) -> None:  # noqa: ANN401 # of a published document
    """The phases of a query, and of its critical path, make up its wall time."""
    if not isinstance(query, dict) or "wall_ns" not in query:
        return
    paths = [query, query.get("critical_path") or {}]
    for name, part in zip(("phases", "critical path"), paths, strict=True):
        phases = part.get("phases_ns")
        if phases is not None and sum(phases.values()) != query["wall_ns"]:
            _broken(f"{name} sum to {sum(phases.values())}, not to {query['wall_ns']}")


def check_schema(document: Document, text: str) -> None:
    """The JSON is as its schema says."""
    kind = type(document.data())
    name = next(name for name, published in PUBLISHED.items() if published is kind)
    problem = next(_validator(name).iter_errors(json.loads(text)), None)
    if problem is not None:
        _broken(f"JSON is not as {name}'s schema: {problem.message[:200]} at {problem.json_path}")


def check_lines(text: str) -> None:
    """Text that is harmless where it is shown."""
    check_encoding(text)
    found = CONTROLS.search(text)
    if found:
        _broken(f"U+{ord(found[0]):04X} in text, after {text[max(0, found.start() - 40) : found.start()]!r}")


def check_csv(text: str) -> None:
    """No cell is a formula, and every row has the columns of the first."""
    check_lines(text)
    rows = [*csv.reader(io.StringIO(text))]
    for row in rows:
        if len(row) != len(rows[0]):
            _broken(f"a row of {len(row)} cells under {len(rows[0])} columns")
        for cell in row:
            if cell.lstrip().startswith(FORMULA) and not _IS_NUMBER.fullmatch(cell):
                _broken(f"a cell that a spreadsheet computes: {cell[:80]!r}")


def check_xml(text: str) -> None:
    """It can be parsed."""
    check_lines(text)
    try:
        ET.fromstring(text)  # noqa: S314 # our own
    except ET.ParseError as error:
        _broken(f"not XML: {error}")


def check_html(text: str) -> None:
    """No element that loads, and none that a span's text made: texts are escaped, and can't end a script."""
    check_encoding(text)
    _Elements().feed(text)


class _Elements(HTMLParser):
    """Looks at each element as a browser would find it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Refuse what loads or runs."""
        if tag in _LOADS or any(
            name.startswith("on") or (value or "").startswith(_RUNS) for name, value in attrs
        ):
            _broken(f"<{tag} {attrs}> in HTML")


def check_folded(text: str) -> None:
    """A stack a line, and the nanoseconds at its end."""
    check_lines(text)
    for line in text.splitlines():
        if not line.rpartition(" ")[2].isdecimal():
            _broken(f"no stack with a count: {line[:200]!r}")


def check_openmetrics(text: str) -> None:
    """A metric a line, with a number that is one."""
    check_lines(text)
    for line in text.splitlines():
        if not line.startswith("#") and not _IS_NUMBER.fullmatch(line.rpartition(" ")[2]):
            _broken(f"no metric with a number: {line[:200]!r}")


def check_encoding(text: str) -> None:
    """It can be written as UTF-8, and ends with a line feed."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        _broken(f"no UTF-8: {error}")
    if text and not text.endswith("\n"):
        _broken("no line feed at the end")


CHECKS: Final[Mapping[str, Callable[[str], None]]] = MappingProxyType(
    {
        "json": check_json,
        "csv": check_csv,
        "html": check_html,
        "junit": check_xml,
        "folded": check_folded,
        "openmetrics": check_openmetrics,
    }
)
"""How each format is looked at; one that isn't named here is text for people."""


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[str, float]]:  # noqa: ANN401 # any JSON
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    elif isinstance(value, int | float):
        yield path, value


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema_path(name).read_text()))


def _broken(what: str) -> NoReturn:
    raise Broken(what)
