"""Is what an answer says backed by what the tools returned?

Every path, symbol, quoted code and number of the answer must stand in a tool's result or in the question, whole; a
line number must be one that a tool showed for that file; a count must be what a result shows. An answer must use
what was found: it may neither deny it nor pass it over. Failed calls back nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import shorten
from typing import Final

from punie.trace.workload.scoring.answer import DEFAULT_TOOLS, ToolCall
from punie.trace.workload.scoring.claims import PATH, Claim, ClaimKind, claims
from punie.trace.workload.scoring.evidence import Parts, ToolEvidence, parts, read_output
from punie.trace.workload.scoring.substance import adds_nothing, own_words, phrase_of_ignorance

_DENIAL: Final = re.compile(
    r"\b(?:found nothing|nothing (?:was |is )?(?:found|matche[sd]|there)|no (?:such|match\w*|result\w*|occurrence\w*|"
    r"uses?|usage\w*|reference\w*|output|trace)|(?:is|are|was|were)(?: not|n't)(?! only| just))\b"
    r"|(?:\b(?:not|never|cannot|unable to)|n't) (?:be )?"
    r"(?:find|found|locate\w*|exist\w*|appear\w*|contain\w*|define\w*|use[sd]?|present|see)\b",
    re.IGNORECASE,
)
# As much, but of an answer to a question that asks for what is missing.
_MISSING: Final = re.compile(
    r"\b(?:neither|none of|fail(?:s|ed) to (?:find|locate|match)|"
    r"(?:is|are|was|were) (?:\w+ )?(?:missing|absent|undefined|unused))\b",
    re.IGNORECASE,
)
# What says as well that a search was in vain. A "no" alone doesn't: "There is no doubt that it is used."
_IN_VAIN: Final = re.compile(
    r"\b(?:nothing|none|nowhere|error)\b|\b(?:no|0|zero|without)\s+(?:\w+\s+){0,2}(?:match|result|occurrence|file|line|use|"
    r"usage|reference|definition|class|function|view|model|output|place|import|call|test|hit)\w*"
    r"|\b(?:came back|is|was|were|are) empty\b|\b(?:search|command|call|tool)\b.{0,30}\bfail\w*"
    r"|\A\W*(?:no|zero|0)\W*\Z",
    re.IGNORECASE,
)
_EXISTS: Final = re.compile(
    r"\b(?:is|are|was|were)\s+(?:\w+ly\s+)?(?:defined|used|located|found|implemented|declared|imported|called|"
    r"registered|referenced)\b",
    re.IGNORECASE,
)
_CLAUSE_END: Final = re.compile(
    r"[.:;!?](?=\s|$)|\s\(|,?\s+but\s+|,\s+(?=(?:however|it|there|and|so|while|though|which)\b)|\n"
)
_TRIED: Final = re.compile(
    r"(?:\bI\s+(?:\w+\s+)?|\A)(?:looked|searched|checked|opened|read|ran|tried|used|called)\b(?!.*\bfound\b)"
)
_LACK: Final = re.compile(r"\b(?:no|not|without|lack\w*|miss\w*)\b|n't\b", re.IGNORECASE)
_CAPITALISED: Final = re.compile(r"(?<=[a-z,] )[A-Z]\w+")  # inside a sentence
_YES: Final = re.compile(r"\byes\b", re.IGNORECASE)
_NAMES: Final = (ClaimKind.SYMBOL, ClaimKind.CODE, ClaimKind.PATH)
_FROM_FIRST: Final = ("./",)
_FEW_WORDS: Final = 40  # of which an answer rarely has one by chance


def ungrounded(question: str, answer: str, calls: Sequence[ToolCall]) -> str | None:
    """What is wrong with `answer` to `question` after `calls`, or None."""
    evidence = ToolEvidence(question, tuple(read_output(call) for call in calls if call.succeeded))
    tools = {*DEFAULT_TOOLS, *(call.name for call in calls)}
    made = [claim for claim in claims(_without_commands(answer, evidence)) if claim.text not in tools]
    invented = [shorten(str(claim), 80, placeholder="…") for claim in made if not _backed(claim, evidence)]
    if invented:
        return f"no tool returned {', '.join(dict.fromkeys(invented))}"
    if not evidence.returned:
        in_vain = (_IN_VAIN.search(answer) or _denies(question, answer)) and not _EXISTS.search(
            _affirmed(question, answer)
        )
        return None if in_vain else "nothing was found, and the answer doesn't say so"
    in_question, returned = ToolEvidence(question, ()), ToolEvidence("", evidence.outputs)
    if _denies(question, answer) or phrase_of_ignorance(answer):
        unasked = [
            claim
            for claim in claims(_affirmed(question, answer))
            if _backed(claim, returned) and not _backed(claim, in_question)
        ]
        return None if unasked else "the answer denies what a tool returned"
    if adds_nothing(question, answer) and not _YES.search(answer):
        return "the answer only repeats the question"
    used = (
        any(_backed(claim, returned) for claim in made)
        or _names_returned(answer, evidence)
        or _repeats_returned_word(question, answer, evidence)
    )
    return None if used else "the answer uses nothing of what the tools returned"


def _affirmed(question: str, answer: str) -> str:
    """The clauses that claim what they name: not those that deny it, nor those that say what was tried."""
    clauses = (clause.strip() for clause in _CLAUSE_END.split(answer))
    return "\n".join(clause for clause in clauses if not _claims_nothing(question, clause))


def _claims_nothing(question: str, clause: str) -> bool:
    in_vain = any(pattern.search(clause) for pattern in (_IN_VAIN, _TRIED))
    return in_vain or _denies(question, clause) or phrase_of_ignorance(clause) is not None


def _denies(question: str, text: str) -> bool:
    """Whether `text` says that something isn't there: "There is no UserSerializer" where that was asked about."""
    if _DENIAL.search(text):
        return True
    if _LACK.search(question):  # whoever asks for a lack may be told of one
        return False
    if _MISSING.search(text):
        return True
    named = (claim.text for claim in claims(question) if claim.kind in _NAMES)
    names = "|".join(map(re.escape, (*named, *_CAPITALISED.findall(question))))
    lacks = rf"\b(?:no|lacks?|without)\s+(?:an?\s+|any\s+|the\s+)?(?:\w+\s+)?[`\"']?(?:{names})(?!\w)"
    return bool(names and re.search(lacks, text, re.IGNORECASE))


def _without_commands(answer: str, evidence: ToolEvidence) -> str:
    """The answer without quotations of the commands that were run: they say nothing about the project."""
    for output in evidence.outputs:
        for argument in output.arguments:
            answer = answer.replace(f"`{argument}`", "") if " " in argument else answer
    return answer


def _names_returned(answer: str, evidence: ToolEvidence) -> bool:
    """A capitalised word inside a sentence (a product, a class of one word) that a tool returned."""
    inside = _CAPITALISED.findall(answer)
    returned = {word.casefold() for word in re.findall(r"\w+", evidence.returned)}
    return any(word.casefold() in returned for word in inside)


def _repeats_returned_word(question: str, answer: str, evidence: ToolEvidence) -> bool:
    """Tools that return little ("shipped", "yes"): whether the answer has a word of it that isn't the question's."""
    returned = set(re.findall(r"\w+", evidence.returned.casefold()))
    own = own_words(question, answer) | {word.casefold() for word in _YES.findall(answer)}
    return len(returned) <= _FEW_WORDS and not own.isdisjoint(returned)


def _backed(claim: Claim, evidence: ToolEvidence) -> bool:
    match claim.kind:
        case ClaimKind.PATH:
            return _known_path(claim.text, evidence)
        case ClaimKind.PLACE:
            return _known_place(claim, evidence)
        case ClaimKind.LINE:
            return any(line == claim.number for _, line in evidence.places) or _line_of_question(
                claim.number, evidence
            )
        case ClaimKind.COUNT:
            return claim.number in evidence.counts(claim.text, parts(claim.scope)) or (
                re.search(rf"(?<!\w){claim.number}\s+\w*\s*{claim.text}", evidence.question, re.IGNORECASE)
                is not None
            )
        case ClaimKind.NUMBER:
            return _whole(claim.text, evidence.text)
        case ClaimKind.SYMBOL:
            return _known_symbol(claim.text, evidence)
        case ClaimKind.CODE:
            return _known_code(claim.text, evidence)


def _whole(text: str, within: str) -> bool:
    """`text` stands in `within`, and no identifier or number goes on at either end."""
    before = (
        r"(?<![\w.])"
        if text[0].isdigit() or text[0] == "/"
        else r"(?<!\w)"
        if text[0].isalnum() or text[0] == "_"
        else ""
    )
    after = r"(?!\w|\.\d)" if text[-1].isalnum() or text[-1] == "_" else ""
    return re.search(before + re.escape(text) + after, within) is not None


def _known_path(path: str, evidence: ToolEvidence) -> bool:
    wanted = parts(path)
    if path.startswith(("/", "~")) or "://" in path or ".." in wanted:
        return _whole(path, evidence.text) or _whole(path.rstrip("/"), evidence.text)
    if not wanted:  # "." and "./": the project itself
        return True
    is_file = "." in wanted[-1].lstrip(".")
    ends = _is_end if is_file else _is_run
    return any(ends(path, known) for known in evidence.paths)


def _is_end(path: str, known: Parts) -> bool:
    """A file must be the end of a known path; `./` ties it to its start."""
    wanted = parts(path)
    return known == wanted if path.startswith(_FROM_FIRST) else known[-len(wanted) :] == wanted


def _is_run(path: str, known: Parts) -> bool:
    """A folder must be a run of the parts of a known path; `./` ties it to its start."""
    wanted = parts(path)
    stems = (*known[:-1], known[-1].split(".")[0]) if known else ()
    starts = (0,) if path.startswith(_FROM_FIRST) else range(len(known) - len(wanted) + 1)
    return any(run[start : start + len(wanted)] == wanted for start in starts for run in (known, stems))


def _known_place(claim: Claim, evidence: ToolEvidence) -> bool:
    if any(line == claim.number and _is_end(claim.text, path) for path, line in evidence.places):
        return True
    return _whole(f"{claim.text}:{claim.number}", evidence.text)


def _line_of_question(number: int, evidence: ToolEvidence) -> bool:
    return re.search(rf"\bline {number}\b", evidence.text) is not None


def _known_symbol(symbol: str, evidence: ToolEvidence) -> bool:
    if (
        symbol in evidence.words
        or _whole(symbol, evidence.text)
        or symbol.removesuffix("s") in evidence.words
    ):
        return True
    if "." in symbol:
        return _known_dotted(symbol.split("."), evidence)
    if symbol.isalpha() and symbol.islower():
        return symbol.removesuffix("s") in evidence.text.casefold()
    begins_sentence = symbol.isalpha() and symbol[1:].islower()
    return begins_sentence and symbol.lower() in evidence.words


def _known_dotted(names: list[str], evidence: ToolEvidence) -> bool:
    """`Order.total` of a class that was shown, or `shop.models.Order` where shop/models.py was."""
    if all(name in evidence.words for name in names) and names[0][:1].isupper():
        return True
    for length in range(len(names), 0, -1):
        module = (*names[: length - 1], f"{names[length - 1]}.py")
        if any(known[-length:] == module for known in evidence.paths):
            return all(name in evidence.words for name in names[length:])
    return False


def _known_code(code: str, evidence: ToolEvidence) -> bool:
    if PATH.fullmatch(code):
        return _known_path(code, evidence)
    pieces = [" ".join(piece.split()) for piece in re.split(r"\.\.\.|…", code.removesuffix("()"))]
    if all(_whole(piece, evidence.flat) for piece in pieces if piece):
        return True
    plain = code.removesuffix("()")
    return re.fullmatch(r"[\w.]+", plain) is not None and _known_symbol(plain, evidence)
