"""What tools returned, in the forms in which an answer's claims are looked up."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from punie.trace.workload.scoring.answer import ToolCall
from punie.trace.workload.scoring.claims import paths

# `path:12:text`, `path-12-text` (context of grep) or, of one file, `12:text`; `cat -n` puts a tab.
_PLACED_LINE: Final = re.compile(
    r"(?:(?P<path>[^:\s][^:]*?)(?P<mark>[:\-]))?\s*(?P<line>\d+)(?P<end>[:\-\t])(?P<rest>.*)"
)
_TRUNCATED: Final = re.compile(r"\[truncated: showing \d+ of (more than )?(\d+) lines\]")
_NOTHING: Final = re.compile(r"\(no output, exit status -?\d+\)|\(empty file\)|\s*")
# `./a.py:3` of grep -c, `3 a.py` and `1 2 3 a.py` of wc, and a bare `3`.
_SHOWN_COUNT: Final = re.compile(
    r"(?P<before>\S+):(?P<of>\d+)|\s*(?P<columns>\d+(?:\s+\d+)*)(?:\s+(?P<after>\S+))?"
)
_NOUN_LINES: Final = (
    (frozenset({"class", "model", "serializer", "form", "view", "test"}), re.compile(r"\bclass\s+\w")),
    (frozenset({"function", "method", "view", "handler", "test"}), re.compile(r"\bdef\s+\w")),
    (frozenset({"coroutine"}), re.compile(r"\basync\s+def\s+\w")),
    (frozenset({"import"}), re.compile(r"^\s*(?:from\s+\S+\s+)?import\s")),
)
_FILE_NOUNS: Final = frozenset({"file", "module", "path"})
_FOLDER_NOUNS: Final = frozenset({"folder", "directory", "app"})

Parts = tuple[str, ...]


def parts(path: str) -> Parts:
    """`./shop/views.py` as ("shop", "views.py")."""
    return tuple(part for part in path.split("/") if part not in ("", "."))


@dataclass(frozen=True)
class ToolOutput:
    """What one successful tool call returned. `arguments` are the texts among its arguments."""

    text: str
    arguments: tuple[str, ...]

    @cached_property
    def empty(self) -> bool:
        """The tool found nothing or printed nothing."""
        return _NOTHING.fullmatch(self.text) is not None

    @cached_property
    def total(self) -> int | None:
        """How many lines there were before the output was cut; None if it wasn't, -1 if nobody knows."""
        match = _TRUNCATED.search(self.text)
        return None if match is None else -1 if match[1] else int(match[2])

    @cached_property
    def lines(self) -> list[str]:
        """Lines as printed, without the note on truncation and the separators of grep."""
        if self.empty:
            return []
        return [line for line in self.text.split("\n") if line != "--" and not _TRUNCATED.fullmatch(line)]

    @cached_property
    def named_paths(self) -> tuple[str, ...]:
        """Paths in the arguments of a call that printed something: what was read exists."""
        return () if self.empty else tuple(path for text in self.arguments for path in paths(text))

    @cached_property
    def placed(self) -> list[tuple[Parts, int, bool, str]]:
        """Lines that say where they stand: path, line number, whether it matched, text."""
        alone = parts(self.named_paths[0]) if len(set(self.named_paths)) == 1 else ()
        located = []
        for line in self.lines:
            match = _PLACED_LINE.fullmatch(line)
            if match and match["mark"] in (None, match["end"]):
                path = parts(match["path"]) if match["path"] else alone
                located.append((path, int(match["line"]), match["end"] != "-", match["rest"]))
        return located

    @cached_property
    def paths(self) -> frozenset[Parts]:
        """Every path that the output or a successful argument names."""
        shown = {parts(path) for line in self.lines for path in paths(line)}
        prefixed = {path for path, *_ in self.placed if path}
        return frozenset(shown | prefixed | {parts(path) for path in self.named_paths} | self._listed())

    def _listed(self) -> set[Parts]:
        """`ls shop` prints `views.py`, which is shop/views.py; `ls -R` prints a header before each folder."""
        words = self.arguments[0].split() if self.arguments else []
        if not words or words[0] != "ls":
            return set()
        folders = [word for word in words[1:] if not word.startswith("-")]
        folder = parts(folders[0]) if len(folders) == 1 else ()
        listed = set()
        for line in self.lines:
            if line.endswith(":"):
                folder = parts(line[:-1])
            elif line.strip():
                listed.add((*folder, line.split()[-1]))
        return listed

    def counts(self, noun: str, scope: Parts) -> set[int]:
        """Every number of `noun` that the output shows, of one file if `scope` names it."""
        shown = self._shown_counts(scope)
        if self.total is not None:
            return shown | ({self.total} if not scope and noun not in _FILE_NOUNS | _FOLDER_NOUNS else set())
        if noun in _FILE_NOUNS | _FOLDER_NOUNS and not scope:
            return shown | self._path_counts(noun)
        return shown | self._line_counts(noun, scope)

    def _shown_counts(self, scope: Parts) -> set[int]:
        counts: list[int] = []
        for line in self.lines:
            match = _SHOWN_COUNT.fullmatch(line)
            if match is None or (scope and not self._is_of(match["before"] or match["after"], scope)):
                continue
            counts += [int(number) for number in (match["of"] or match["columns"]).split()]
        return {*counts, sum(counts)} if counts else set()

    def _is_of(self, shown: str | None, scope: Parts) -> bool:
        return shown is None or parts(shown)[-len(scope) :] == scope

    def _path_counts(self, noun: str) -> set[int]:
        files = {path for path, *_ in self.placed if path} or {parts(line) for line in self.lines}
        return (
            {len(files)}
            if noun in _FILE_NOUNS
            else {len({path[:-1] for path in files}), len({path[:1] for path in files})}
        )

    def _line_counts(self, noun: str, scope: Parts) -> set[int]:
        prefixed = any(path for path, *_ in self.placed)
        placed = [row for row in self.placed if not scope or not prefixed or row[0][-len(scope) :] == scope]
        texts = [row[3] for row in placed] or ([] if scope and prefixed else self.lines)
        special = {
            sum(bool(pattern.search(text)) for text in texts)
            for nouns, pattern in _NOUN_LINES
            if noun in nouns
        }
        if placed:
            return special | {len(placed), sum(matched for *_, matched, _ in placed)}
        return special | {len(texts), sum(bool(text.strip()) for text in texts)} - ({0} if special else set())


@dataclass(frozen=True)
class ToolEvidence:
    """All that a grounded answer may rest on: the question, and what the tools returned."""

    question: str
    outputs: tuple[ToolOutput, ...]

    @cached_property
    def returned(self) -> str:
        """What the tools printed, refusals and empty results left out."""
        return "\n".join(line for output in self.outputs for line in output.lines)

    @cached_property
    def text(self) -> str:
        """The question and what the tools printed."""
        return f"{self.question}\n{self.returned}"

    @cached_property
    def flat(self) -> str:
        """`text` with every run of white space as one space."""
        return " ".join(self.text.split())

    @cached_property
    def words(self) -> frozenset[str]:
        """Identifiers and numbers of `text`, whole."""
        return frozenset(re.findall(r"\w+", self.text))

    @cached_property
    def paths(self) -> frozenset[Parts]:
        """Every known path."""
        in_question = {parts(path) for path in paths(self.question)}
        return frozenset(in_question.union(*(output.paths for output in self.outputs)))

    @cached_property
    def places(self) -> frozenset[tuple[Parts, int]]:
        """Every known line of a file."""
        return frozenset((path, line) for output in self.outputs for path, line, *_ in output.placed)

    def counts(self, noun: str, scope: Parts) -> set[int]:
        """Every number of `noun` that may be right: of one call, or of all together."""
        each = [output.counts(noun, scope) for output in self.outputs]
        whole = [counts for output, counts in zip(self.outputs, each, strict=True) if not output.empty]
        together = {sum(max(counts, default=0) for counts in whole)} if len(whole) > 1 else set()
        nothing = {0} if any(output.empty for output in self.outputs) else set()
        return together.union(nothing, *each)


def read_output(call: ToolCall) -> ToolOutput:
    """What a call that succeeded returned."""
    arguments = json.loads(call.arguments or "{}")
    return ToolOutput(call.result or "", tuple(text for text in arguments.values() if isinstance(text, str)))


def repeated_words(text: str, *, times: int = 4, longest: int = 12) -> str | None:
    """A run of words that stands `times` times in a row, as a model does that is caught in a loop; else None."""
    words = [word for word in text.split() if any(character.isalnum() for character in word)]
    counts = Counter(words)
    for start, word in enumerate(words):
        if counts[word] < times:
            continue
        for length in range(1, longest + 1):
            run = words[start : start + length]
            if words[start : start + length * times] == run * times:
                return " ".join(run)
    return None
