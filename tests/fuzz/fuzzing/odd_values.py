"""Values that have broken readers: numbers at and past every limit, texts that are obeyed, types that don't fit."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from fuzzing.json_text import clone, nested, raw

NUMBERS: Final = (
    0, -1, 1, 2, -(2**31), 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**18, 10**25, -(2**63) - 1,
    0.5, -0.0, -0.5, 1e-308, 1e15, 1e300, -1e300,
    *map(raw, ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "-" + "9" * 5000, "1" + "0" * 308)),
    *map(raw, ("0.1e-400", "1E5", "-0", "00", "1.", "0x10", "1_000")),
)  # fmt: skip
NUMBER_TEXTS: Final = (
    "0", "-1", "5", "1e9", "1e308", "1e999", "NaN", "inf", "-inf", "9" * 30, "9" * 4301, "0x1f", "1_000", " 7 ", "٣",
    "５", "1.5", "-0", "+3", "1764000000000000000", "99999999999999999999", "",
)  # fmt: skip
TEXTS: Final = (
    "", " ", "\x00", "a\x00b", "\x1b[31mred\x1b[0m", "\x1b]52;c;aGk=\x07", "\x9b31m", "\x90q\x9c", "\u202egnp.exe",
    "\u2066x\u2069", "\u200b", "\ufeff", "\ud800", "\udc00\ud800", "e\u0301" * 40, "\U0001f468\u200d\U0001f469", "ﷺ" * 20,
    "=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r\n=1", "a,b\"c\nd", "＝1",
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "[x](javascript:alert(1))",
    "![](http://127.0.0.1/x.png)", "`|`", "| a | b |", "# title", "]]>", "<!--", "&amp;&#x1b;", "<?xml?>", "{{7*7}}",
    "${HOME}", "$(id)", "%s%n", "{0.__class__}", "../../etc/passwd", "/proc/self/environ", "a" * 5000, "é" * 3000,
    "stop", "STOP", "error", "abort", "content_filter", "length", "chat", "execute_tool", "invoke_agent", "POST",
)  # fmt: skip
OTHERS: Final[tuple[Any, ...]] = (
    None, True, False, [], {}, [[]], [None], {"": None}, [{}], {"values": 1}, {"key": {}}, {"stringValue": 5},
    {"intValue": "x"}, {"arrayValue": {"values": [None]}}, {"kvlistValue": {"values": [{"key": "a"}]}},
    *(nested(depth) for depth in (3, 100, 600, 3000)), nested(900, '{"a":', "}", core="1"),
)  # fmt: skip
ANY: Final[tuple[tuple[Any, ...], ...]] = (NUMBERS, NUMBER_TEXTS, TEXTS, OTHERS)


def odd_value(random: Random) -> Any:  # noqa: ANN401 # any JSON
    """One of them all; each family is as likely as the others."""
    return clone(random.choice(random.choice(ANY)))


def odd_text(random: Random) -> str:
    """A text, now and then with a bit of another one in it."""
    text = random.choice(TEXTS)
    return text if random.random() < 0.7 else text[: random.randrange(9)] + random.choice(TEXTS)
