"""Does an answer say anything of its own?"""

from __future__ import annotations

import re
from typing import Final

from punie.trace.workload.scoring.words import WORDS

_UNKNOWN: Final = re.compile(
    r"\bI\b(?:'m| am|'ve| have)?\s+(?:(?:really|just|also|still|sorry|afraid)\W+(?:but I\s+|I\s+)?)?"
    r"(?:(?:do|did|can|could|would)\s+not|(?:do|did|could|would|have|had)n.t|can.t|cannot|not|no|"
    r"never|know (?:too little|nothing)|lack|unable)\b"
    r"(?:\s+\w+){0,3}?\s*\b(?:know|answer|explain|help|tell|sure|able|familiar|understand|idea|information|"
    r"knowledge|heard|about|provide|clue|say(?! enough))\b"
    r"|\bI(?:'d| would)? need more|\bI(?:'m| am)\s+(?:un(?:able|aware|certain|familiar|sure)|ignorant|clueless)\b"
    r"|\b(?:no (?:idea|clue)|(?<!you are )(?<!you're )not sure|hard to say|beyond (?:my knowledge|me)|"
    r"knows? too little|(?:unclear|unknown|unfamiliar|not (?:clear|known)|a mystery) to me)\b",
    re.IGNORECASE,
)
_FILLERS: Final = frozenset(WORDS["fillers"])


def adds_nothing(question: str, answer: str) -> bool:
    """Whether each word of the answer is the question's or a filler: an echo."""
    return not own_words(question, answer)


def own_words(question: str, answer: str) -> set[str]:
    """The words of the answer, without case, that are neither the question's nor fillers."""
    return _words(answer) - _words(question) - _FILLERS


def phrase_of_ignorance(answer: str) -> str | None:
    """The words in which an answer says that whoever gives it doesn't know."""
    match = _UNKNOWN.search(answer)
    return match[0] if match else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w+#]+", text.casefold()))
