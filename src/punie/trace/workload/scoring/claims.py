"""What an answer claims that can be checked: paths, symbols, quoted code and numbers, read off its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from punie.trace.workload.scoring.words import WORDS


class ClaimKind(StrEnum):
    """How a claim is checked against what the tools returned."""

    PATH = "path"
    SYMBOL = "symbol"
    CODE = "code"
    PLACE = "place"
    LINE = "line"
    COUNT = "count"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that the answer says.

    `text` is the path, symbol, code or number as written. For a place it is the path and `number` the line; for a
    count it is the noun, in the singular, `number` the count, and `scope` the path that it is claimed of, if any.
    """

    kind: ClaimKind
    text: str
    number: int = 0
    scope: str = ""

    def __str__(self) -> str:
        if self.kind is ClaimKind.PLACE:
            return f"{self.text}:{self.number}"
        return f"{self.number} {self.text}" if self.kind is ClaimKind.COUNT else self.text


_ENDINGS: Final = "|".join(WORDS["extensions"])
_THINGS: Final = "|".join(WORDS["things"])
_NOUNS: Final = "|".join(WORDS["nouns"])
WORD_NUMBERS: Final = {word: number for number, word in enumerate(WORDS["numbers"])}
_PART: Final = r"[\w.@+\-]"
PATH: Final = re.compile(
    rf"(?<![\w.@+\-/])(?:[a-z]+://)?~?(?:{_PART}*/)+{_PART}*|(?<![\w@+\-/]){_PART}*\.(?:{_ENDINGS})\b(?![\w(])"
)
_SYMBOL: Final = re.compile(
    r"(?<![\w.])(?:"
    r"[A-Za-z_]\w+(?:\.[A-Za-z_]\w+)+"  # dotted.name
    r"|_*[A-Za-z0-9]+(?:_+[A-Za-z0-9]+)+_*|_+[A-Za-z]\w*"  # snake_case, __dunder__, _private
    r"|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+|[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)+"  # CamelCase, camelCase
    r"|[A-Z]{2,}[a-z]{2,}\w*"  # APIView
    r"|[A-Za-z_]\w*(?=\((?!s\)|es\)))"  # called(
    r")(?!\w)"
)
_CALLED: Final = re.compile(rf"\b(?:{_THINGS}|named|called|def)\s+([A-Z][a-z0-9]\w*)(?![\w/])")
_BEFORE_THING: Final = re.compile(rf"\b([A-Z][a-z0-9]\w*)\s+(?:{_THINGS})\b")
_SUBJECT: Final = re.compile(
    r"(?<![\w./])([A-Za-z_]\w*)\s+(?:is|was|are|were)\s+(?:\w+ly\s+|also\s+|only\s+|not\s+)?"
    r"(?:defined|implemented|declared|located|used|imported|called|referenced|registered|found|mentioned)\b"
)

_CODE: Final = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)|`([^`\n]+)`", re.DOTALL)
_QUOTED_WORD: Final = re.compile(r"(?<!\w)(?:\"([\w.\-]+)\"|'([\w.\-]+)'|“([\w.\-]+)”)(?!\w)")

_NUMBER: Final = r"(?<![\w.])(\d+(?:,\d{3})*|" + "|".join(WORD_NUMBERS) + r")"
# Up to two words may stand between a number and what it counts, but none that starts something else.
_BETWEEN: Final = (
    r"(?!(?:of|in|is|are|was|and|or|at|on|the|that|from|to|as|use[sd]?|defines?|has|have|other|more|longer|such)\b)"
    r"[A-Za-z/\-]+"
)
_COUNT: Final = re.compile(
    rf"{_NUMBER}(?<!\bno)\s+(?:{_BETWEEN}\s+){{0,2}}({_NOUNS})\b(?!/)|(?<![\w.])(no)\s+({_NOUNS})\b",
    re.IGNORECASE,
)
_SCOPE_AFTER: Final = re.compile(rf"\s+(?:in|from|of)\s+(?:the\s+(?:file\s+)?)?({PATH.pattern})")
_SCOPE_BEFORE: Final = re.compile(
    rf"({PATH.pattern})\s+(?:has|contains|holds|shows|defines|with)\s+(?:only\s+|exactly\s+)?$"
)
_DIGITS: Final = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?!\w)")
# A model in a loop prints these; the patterns here would take the square of their length.
_ENDLESS: Final = re.compile(r"\S{300,}")
_LIST_MARK: Final = re.compile(r"^[ \t]*\d+[.)][ \t]+", re.MULTILINE)
_LINE_BEFORE: Final = re.compile(r"(?:\blines?\s*|[:#])\Z", re.IGNORECASE)
_PLACE: Final = re.compile(
    rf"(?<![\w.@+\-/])({_PART}*(?:/{_PART}+)*\.(?:{_ENDINGS}))`?(?::|[\s,(]*(?:at|on|in)?\s*\(?lines?\s+)(\d+)\b",
    re.IGNORECASE,
)


def claims(answer: str) -> tuple[Claim, ...]:
    """Everything in `answer` that can be checked, without repeats, in order of kind."""
    endless = _ENDLESS.findall(answer)
    text = _LIST_MARK.sub("", _ENDLESS.sub(" ", answer))
    prose = _CODE.sub(_path_or_blank, text)
    return tuple(
        dict.fromkeys(
            [
                *(Claim(ClaimKind.PLACE, match[1], int(match[2])) for match in _PLACE.finditer(text)),
                *(Claim(ClaimKind.PATH, path) for path in paths(text)),
                *_symbols(text),
                *_names(prose),
                *_code(text),
                *_counts(prose),
                *_numbers(prose),
                *(Claim(ClaimKind.CODE, token) for token in endless),
            ]
        )
    )


def _path_or_blank(match: re.Match[str]) -> str:
    return match[2] if match[2] and PATH.fullmatch(match[2]) else " "


def paths(text: str) -> Iterator[str]:
    """The tokens of `text` that look like a path: with a slash or the extension of a file."""
    for match in PATH.finditer(text):
        path = match[0].rstrip(".-")
        if any(character.isalpha() for character in path) and not _is_pair(path):
            yield path


def _is_pair(path: str) -> bool:
    left, _, right = path.lower().partition("/")
    hyphens = "-" in left and "-" in right and "/" not in right and "." not in path
    return path.lower() in {*WORDS["pairs"], *WORDS["libraries"]} or hyphens or len(left) == len(right) == 1


def _symbols(text: str) -> Iterator[Claim]:
    for match in _SYMBOL.finditer(PATH.sub(lambda path: " " * len(path[0]), text)):
        if match[0] not in WORDS["proper_names"] and match[0].lower() not in WORDS["libraries"]:
            yield Claim(ClaimKind.SYMBOL, match[0])


def _names(prose: str) -> Iterator[Claim]:
    """Plain words in a place where only a name can stand."""
    for pattern in (_CALLED, _BEFORE_THING, _SUBJECT):
        for match in pattern.finditer(prose):
            if match[1].lower() not in {*WORDS["plain_words"], *WORDS["framework_words"]}:
                yield Claim(ClaimKind.SYMBOL, match[1])
    for match in _QUOTED_WORD.finditer(prose):
        yield Claim(ClaimKind.CODE, match[1] or match[2] or match[3])


def _code(text: str) -> Iterator[Claim]:
    for match in _CODE.finditer(text):
        for line in (match[1] or match[2]).splitlines():
            code = line.strip()
            if code and not re.fullmatch(r"[\d\W]+", code) and not _PLACE.fullmatch(code):
                yield Claim(ClaimKind.CODE, code)


def _counts(prose: str) -> Iterator[Claim]:
    for match in _COUNT.finditer(prose):
        if _LINE_BEFORE.search(_before(prose, match)):
            continue
        word, noun = (match[1] or match[3]).lower(), (match[2] or match[4]).lower()
        number = WORD_NUMBERS[word] if word in WORD_NUMBERS else int(word.replace(",", ""))
        scope = _SCOPE_AFTER.match(prose, match.end()) or _SCOPE_BEFORE.search(_before(prose, match))
        yield Claim(ClaimKind.COUNT, _singular(noun), number, scope[1].rstrip(".-") if scope else "")


def _before(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - 400) : match.start()]


def _singular(noun: str) -> str:
    return re.sub(r"(?<=ch|ss)es$|(?<!s)s$", "", noun.replace("ories", "ory"))


def _numbers(prose: str) -> Iterator[Claim]:
    blanked = PATH.sub(lambda path: " " * len(path[0]), prose)
    counted = {match.start(1) for match in _COUNT.finditer(blanked)}
    for match in _DIGITS.finditer(blanked):
        is_line = re.search(r"\blines?\s*$", _before(blanked, match), re.IGNORECASE)
        if is_line:
            yield Claim(ClaimKind.LINE, match[0], int(re.sub(r"\D", "", match[0])))
        elif match.start() not in counted:
            yield Claim(ClaimKind.NUMBER, match[0])
