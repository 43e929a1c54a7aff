"""The pages that readers copy from, and what can be copied from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
PAGES: Final = tuple(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "src/punie/trace/demo/*.md")
    for path in sorted(PROJECT.glob(pattern))
    if path.name != "CHANGELOG.md"  # it tells of what was
)
_BLOCK: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NOT_RUN: Final = re.compile(r"<!-- not run(?:, ([^>:]+))?: ([^>]+) -->\n")
_MARKS: Final = re.compile(rf"(?:^ *{_NOT_RUN.pattern})+\Z", re.MULTILINE)
_INLINE: Final = re.compile(r"`([^`]+)`")
_LINK: Final = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


@dataclass(frozen=True)
class Snippet:
    """A block of a page in `language` (blank: output, a drawing), with the line on which it starts.

    `not_run` are the comments before it, `<!-- not run, PATTERN: the reason -->`: lines with this pattern aren't run,
    without one none is.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: tuple[tuple[str, str], ...] = ()

    @property
    def why_not_run(self) -> str:
        """The reason why it isn't run; empty if it is."""
        return next((reason for pattern, reason in self.not_run if re.search(pattern, self.text)), "")

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


def snippets(language: str) -> list[Snippet]:
    """Every block of that language."""
    return [snippet for page in PAGES for snippet in _blocks(page) if snippet.language == language]


def _blocks(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        body = "\n".join(line.removeprefix(match[1]) for line in match[3].splitlines())
        line = text.count("\n", 0, match.start()) + 2
        yield Snippet(page, line, match[2], body, _marks(text[: match.start()]))


def _marks(before: str) -> tuple[tuple[str, str], ...]:
    marks = _MARKS.search(before)
    return tuple(_NOT_RUN.findall(marks[0])) if marks else ()


def commands() -> list[Snippet]:
    """Every line of a shell block, without its comment, continued lines joined; and `punie-trace …` in the text."""
    found = []
    for block in snippets("sh"):
        lines = block.text.replace("\\\n", " ").splitlines()
        shown = [(number, re.sub(r"(^|\s)#.*", "", line).strip()) for number, line in enumerate(lines)]
        found += [
            Snippet(block.page, block.line + number, "sh", line, block.not_run)
            for number, line in shown
            if line
        ]
    for page in PAGES:
        prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
        quoted = [" ".join(text.split()) for text in _INLINE.findall(prose)]
        found += [Snippet(page, 0, "sh", text) for text in quoted if re.match(r"punie-trace \w", text)]
    return found


def typed() -> list[Snippet]:
    """The lines of all shell blocks, of those that are the same on several pages the first."""
    lines = [line for line in commands() if line.line]
    return [*{line.text: line for line in reversed(lines)}.values()][::-1]


def links() -> list[tuple[Path, str]]:
    """Every page and every file of ours that it points to."""
    return [
        (page, target)
        for page in PAGES
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target
    ]
