"""What an engine reads of a span, and the SQL that tells its role and phase from it: one text for all engines.

A relation of words has, beside what the engine needs itself (ids, times), these columns:

| column | holds |
| --- | --- |
| a name of `TEXT_CODES` | what the attribute tells, as a number |
| a name of `TEXTS` | the attribute as text, "" if the span lacks it |
| `is_top`, `is_server`, `is_error` | it names no parent; its kind is SERVER; its status is ERROR |
| `has_exception` | one of its events is an exception |
| `is_sound` | its ids and times can be read |
| `scope`, `span_name` | the name of its instrumentation, its own |

Whether a span has any attribute of an entry of `MARKS` is a condition, since most of them are asked of few spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Final

from punie.trace import semconv
from punie.trace.analysis.foreign.codex import STREAM
from punie.trace.analysis.foreign.dialects import BEGINNINGS, CONVENTIONS, LLAMA_INDEX, WORKFLOW_NAMES
from punie.trace.analysis.foreign.operations import INFORMATIVE
from punie.trace.analysis.foreign.servers import DURATIONS, DYNAMO, TGI, TRITON
from punie.trace.analysis.foreign.spellings import Meaning, holds_an_answer, meaning_of
from punie.trace.model import PHASES, Disturbance, Provenance
from punie.trace.store.tags import STATUS_TAGS


@dataclass(frozen=True, slots=True)
class TextCode:
    """What the text of an attribute means: a number of `numbers`, else `other`; 0 where it is lacking or empty.

    The texts are upper case if `any_case`: then case doesn't matter.
    """

    attribute: str
    numbers: Mapping[str, int]
    other: int = 0
    any_case: bool = False


_METHODS: Final = {"POST": 1, "_OTHER": 1}  # those by which a model may be asked
TEXT_CODES: Final[Mapping[str, TextCode]] = MappingProxyType(
    {
        "phase_told": TextCode(semconv.PHASE, {phase: rank for rank, phase in enumerate(PHASES, 1)}),
        "how_told": TextCode(semconv.PHASE_PROVENANCE, {how: rank for rank, how in enumerate(Provenance, 1)}),
        "operation": TextCode(
            semconv.OPERATION,
            {
                **dict.fromkeys(semconv.OPERATION_CHAT, 1),
                semconv.OPERATION_TOOL: 2,
                semconv.OPERATION_AGENT: 3,
            },
            other=4,
        ),
        "warmup": TextCode(
            semconv.QUERY_WARMUP, {"TRUE": 1, "1": 1, "FALSE": 0, "0": 0}, other=2, any_case=True
        ),
        "new_method": TextCode(semconv.HTTP_METHOD[0], _METHODS, other=2, any_case=True),
        "old_method": TextCode(semconv.HTTP_METHOD[1], _METHODS, other=2, any_case=True),
        "ends_at": TextCode(semconv.HTTP_ENDS_AT, {semconv.HTTP_ENDS_AT_HEADERS: 1}),
        "is_wrong": TextCode(
            semconv.QUERY_OK, {"FALSE": 1, "0": 1, "TRUE": 0, "1": 0}, other=2, any_case=True
        ),
        "disturbed": TextCode(semconv.QUERY_DISTURBED, dict.fromkeys(Disturbance, 1)),
        "error": TextCode(semconv.ERROR_TYPE, {}, other=1),
        "finish": TextCode(semconv.FINISH_REASONS, {}, other=1),
        "output": TextCode(semconv.OUTPUT_TOKENS[0], {"0": 0}, other=1),
    }
)
"""Attributes of which a few texts matter, by the column's name. `operation`: the role, 4 for one that is not ours."""

TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "new_status": semconv.HTTP_STATUS[0],
        "old_status": semconv.HTTP_STATUS[1],
        "request_model": semconv.REQUEST_MODEL,
        "response_model": semconv.RESPONSE_MODEL,
        "sglang_module": semconv.SGLANG_MODULE,
        "query_id": semconv.QUERY_ID,
        "query_error": semconv.QUERY_ERROR,
        "error_type": semconv.ERROR_TYPE,
    }
)
"""Attributes whose text is looked at, by the column's name: of few spans, or only where models are asked for."""

MARKS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "has_query_id": (semconv.QUERY_ID,),
        "has_method": (semconv.HTTP_METHOD[0],),
        "has_status": (semconv.HTTP_STATUS[0],),
        "has_old_status": (semconv.HTTP_STATUS[1],),
        "has_module": (semconv.SGLANG_MODULE,),
        "has_ends_at": (semconv.HTTP_ENDS_AT,),
        "has_query_error": (semconv.QUERY_ERROR,),
        "has_reference": (semconv.PARENT_REFERENCE,),
        "has_status_tag": tuple(STATUS_TAGS),
        "has_foreign": tuple(semconv.FOREIGN_KIND),
        "has_telling": tuple(sorted(INFORMATIVE)),
        "has_latency": tuple(sorted(DURATIONS)),
        "has_printed": (TGI,),
        "has_template": (semconv.MESSAGE_TEMPLATE,),
    }
)
"""Attributes of which it only matters whether one of them is there, by the condition's name."""

_DIGITS: Final = ", ".join(f"'{digit}'" for digit in range(10))
_NO_TEXT: Final = (
    "CASE WHEN is_query THEN substring(query_id, 1, 1) IN ('[', '{') OR "
    + " OR ".join(
        f"{error} IN ('true', 'false') OR substring({error}, 1, 1) IN ('[', '{{', '-', '.', {_DIGITS})"
        for error in ("query_error", "error_type")
    )
    + " ELSE false END"
)
"""A query's id or error that isn't text where attributes have types: a report knows none then."""

_SPELLED: Final = frozenset({Meaning.KIND, Meaning.OUTPUT, Meaning.FINISH})


def names_by_meaning(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """The attributes, of all `names` that there are, that reports know by their spelling; by the condition's name.

    They may tell another role, or why a call failed: no SQL has those rules.
    """
    names = sorted(filter(str.isprintable, names))  # no other stands in a statement
    return {
        "has_spelled": tuple(name for name in names if meaning_of(name) in _SPELLED),
        "has_answer": tuple(filter(holds_an_answer, names)),
    }


def spans_sql(
    words: str,
    has_any: Callable[[Sequence[str]], str],
    spelled: Mapping[str, Sequence[str]],
    *,
    is_text: bool,
) -> str:
    """All columns of the relation `words` (a SELECT), and what follows from them.

    `has_any` is the condition, in the engine's words, that a span has one of some attributes; `spelled` are those of
    `names_by_meaning`. What follows is role, phase, how, is_query, is_warmup, is_failed, is_odd, method, asks (a model,
    perhaps), to_headers, asked and served (models).
    """
    return Template(_text()).substitute(
        WORDS=words,
        **{
            name: f"({has_any(attributes)})"
            for name, attributes in {**MARKS, **spelled}.items()
            if attributes
        },
        **{name: "false" for name, attributes in spelled.items() if not attributes},
        BEGINS=_begins("span_name", (*BEGINNINGS, STREAM, DYNAMO)),
        FIRST_WORDS=_begins("span_name", sorted(CONVENTIONS)),
        NO_TEXT="false" if is_text else _NO_TEXT,
        SHORTEST=min(map(len, WORKFLOW_NAMES)),
        WORKFLOWS=listed(sorted(WORKFLOW_NAMES)),
        SCOPE_TO_HEADERS=_begins("scope", semconv.HTTP_SCOPES_TO_HEADERS),
        FOREIGN_SCOPE=_begins("scope", (semconv.SGLANG_SCOPE, TRITON, LLAMA_INDEX)),
        SGLANG_MODULES=quoted(semconv.SGLANG_MODULES),
    )


def listed(names: Iterable[str]) -> str:
    """Our own names as SQL, between commas."""
    return ", ".join(map(quoted, names))


def quoted(name: str) -> str:
    """A name of ours as text in SQL."""
    return f"'{name}'"


def _begins(column: str, beginnings: Iterable[str]) -> str:
    return " OR ".join(f"startsWith({column}, {quoted(beginning)})" for beginning in beginnings)


@cache
def _text() -> str:
    lines = (
        files("punie.trace.store.in_database").joinpath("spans.sql").read_text(encoding="utf-8").splitlines()
    )
    return "\n".join(line for line in lines if not line.startswith("--"))
