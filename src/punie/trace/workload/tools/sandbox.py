"""What a model may run: one read-only program, options from an allow-list, nothing outside the workspace.

A command line is taken apart and checked here, and an argument list is built anew from what was understood, so
no text of the model reaches a program in a place where an option is read. There is no shell. Links are never
followed out of the workspace, and recursive grep walks the folders itself: BSD's grep follows links, GNU's doesn't.
A hard link is a file of the workspace like any other: nothing distinguishes it.
"""

from __future__ import annotations

import getopt
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Final

from punie.trace.workload.tools.confine import RefusedError, expand, regular_files
from punie.trace.workload.tools.opened_files import FILES_AT_ONCE
from punie.trace.workload.tools.policy import FIND_TESTS, POLICY

COMMAND_LIMIT: Final = 2000
"""Characters of a command line; more is refused."""
PROGRAM_FOLDERS: Final = (Path("/usr/bin"), Path("/bin"))
"""Where programs are looked up; the workspace and the user's PATH never are."""

# An escaped character, a quoted text, or something that a shell would act on.
_SHELL_PIECE: Final = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\(|\$\{|[|;&<>`]""", re.DOTALL)
_SUBSTITUTION: Final = re.compile(r"(?<!\\)(?:`|\$\()")
_COLOUR: Final = re.compile(r"--colou?r(=\w+)?")
_BATCH_BYTES: Final = 96_000  # far below the 1 MB of macOS and the 2 MB of Linux for all arguments together


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command line as understood: `options` in order, as (option, value)."""

    options: tuple[tuple[str, str], ...]
    operands: tuple[str, ...]

    def values(self, name: str) -> list[str]:
        """Values of option `name`, in order; an option without a value has an empty one."""
        return [value for option, value in self.options if option == name]


@dataclass(frozen=True, slots=True)
class PlannedCommand:
    """What to run: `argv` (absolute program first) once for each of `batches`, appended to it.

    `sort_lines` asks for the output's lines to be sorted, where the program prints in the file system's order.
    `reads` says that the batches are files whose content it reads: they are opened for it.
    """

    argv: tuple[str, ...]
    batches: tuple[tuple[str, ...], ...] = field(default=((),))
    sort_lines: bool = False
    reads: bool = False


def split_command(command: str) -> list[str]:
    """`command` as words, quotes removed. Raises RefusedError for what only a shell could do."""
    line = command.strip()
    if len(line) > COMMAND_LIMIT:
        raise RefusedError(f"the command is longer than {COMMAND_LIMIT} characters")
    if not line.replace("\t", " ").isprintable():
        raise RefusedError("the command must be one line without control characters")
    for match in _SHELL_PIECE.finditer(line):
        _refuse_operator(match[0])
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise RefusedError(f"the command can't be read: {str(error).lower()}") from error
    if not words:
        raise RefusedError("the command is empty")
    return words


def _refuse_operator(piece: str) -> None:
    if piece[0] in "\\'":
        return
    if piece[0] == '"':
        substitution = _SUBSTITUTION.search(piece)
        if substitution is None:
            return
        piece = substitution[0]
    raise RefusedError(f"there is no shell, so {piece} does nothing here: run one program, quote the pattern")


def plan_command(command: str, root: Path) -> PlannedCommand:
    """Checks `command` against the policy and says what to run in folder `root`.

    Raises RefusedError with the reason. `root` must be resolved (no links in it).
    """
    name, *words = split_command(command)
    if name not in POLICY:
        raise RefusedError(f"{shlex.quote(name)} is not allowed, only: {', '.join(POLICY)}")
    program = _program(name)
    if name == "find":
        return _plan_find(program, words, root)
    parsed = _parse(name, words)
    return _plan_grep(program, parsed, root) if name == "grep" else _plan_simple(program, name, parsed, root)


def _program(name: str) -> str:
    for folder in PROGRAM_FOLDERS:
        if (folder / name).is_file():
            return str(folder / name)
    raise RefusedError(f"{name} is not installed in {' or '.join(map(str, PROGRAM_FOLDERS))}")


def _parse(name: str, words: list[str]) -> Parsed:
    """The words of program `name` by its policy. Options in colour change nothing here and are dropped."""
    options = POLICY[name]
    words = [word for word in words if not _COLOUR.fullmatch(word)]
    try:
        pairs, operands = getopt.gnu_getopt(words, options.short_form, options.long_form)
    except getopt.GetoptError as error:
        raise RefusedError(f"{name}: {error.msg}: not allowed here") from error
    known = [
        (options.long.get(option, option), value) for option, value in _numbers_joined(pairs, options.numeric)
    ]
    for option, value in known:
        if option in options.valued and options.valued[option].fullmatch(value) is None:
            raise RefusedError(f"{name}: {shlex.quote(value)} can't be a value of option {option}")
    return Parsed(tuple(known), tuple(operands))


def _numbers_joined(pairs: list[tuple[str, str]], numeric: str) -> Iterator[tuple[str, str]]:
    """`-15`, which getopt takes for -1 and -5, as what it stands for: 15 for the option `numeric`."""
    for is_digit, group in groupby(
        pairs, lambda pair: pair[0][1].isdecimal() and not pair[1] and bool(numeric)
    ):
        if is_digit:
            yield numeric, "".join(option[1] for option, _ in group)
        else:
            yield from group


def _plan_simple(program: str, name: str, parsed: Parsed, root: Path) -> PlannedCommand:
    operands = [path for word in parsed.operands for path in expand(word, root)]
    if not operands and POLICY[name].needs_operand:
        raise RefusedError(f"{name} needs a file")
    argv = (program, *(option + value for option, value in parsed.options), "--")
    return (
        PlannedCommand((*argv, *operands))
        if name == "ls"
        else PlannedCommand(argv, _one_batch(operands), reads=True)
    )


def _plan_grep(program: str, parsed: Parsed, root: Path) -> PlannedCommand:
    patterns, operands = parsed.values("-e"), parsed.operands
    if not patterns:
        if not operands:
            raise RefusedError("grep needs a pattern")
        patterns, operands = [operands[0]], operands[1:]
    recursive = bool(parsed.values("-r") or parsed.values("-R"))
    if not operands and not recursive:
        raise RefusedError("grep needs a file to search, or -r for the whole project")
    passed_on = [
        option + value
        for option, value in parsed.options
        if option not in ("-r", "-R", "-e") and not option.startswith("--")
    ]
    paths = [path for word in operands or (".",) for path in expand(word, root)]
    argv = [program, *passed_on, *(word for pattern in patterns for word in ("-e", pattern))]
    if not recursive:
        return PlannedCommand((*argv, "--"), _one_batch(paths), reads=True)
    if not parsed.values("-h") and (len(paths) > 1 or (root / paths[0]).is_dir()):
        argv.insert(1, "-H")
    return PlannedCommand((*argv, "--"), _batches(_searched(paths, parsed, root)), reads=True)


def _searched(paths: list[str], parsed: Parsed, root: Path) -> list[str]:
    """The files of a recursive grep, after its --include, --exclude and --exclude-dir."""
    include, exclude, folders = (
        _globs(parsed, f"--{name}") for name in ("include", "exclude", "exclude-dir")
    )

    def wants_file(name: str) -> bool:
        return (not include or _matches_any(name, include)) and not _matches_any(name, exclude)

    def wants_folder(name: str) -> bool:
        return not _matches_any(name, folders)

    return [
        file
        for path in paths
        for file in regular_files(path, root, wants_file=wants_file, wants_folder=wants_folder)
    ]


def _matches_any(name: str, globs: list[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _globs(parsed: Parsed, name: str) -> list[str]:
    return [glob for text in parsed.values(name) for glob in _braces(text.rstrip("/"))]


def _braces(glob: str) -> list[str]:
    """`*.{py,html}` as a shell would have written it out; one pair of braces."""
    match = re.fullmatch(r"([^{}]*)\{([^{}]*,[^{}]*)\}([^{}]*)", glob)
    return [glob] if match is None else [f"{match[1]}{middle}{match[3]}" for middle in match[2].split(",")]


def _one_batch(files: list[str]) -> tuple[tuple[str, ...], ...]:
    """`files` as one program gets them, for what it prints depends on how many they are."""
    if len(files) > FILES_AT_ONCE:
        raise RefusedError(f"more than {FILES_AT_ONCE} files at once: name fewer")
    return (tuple(files),)


def _batches(files: list[str]) -> tuple[tuple[str, ...], ...]:
    """`files` in groups that fit on a command line; none if there are none."""
    batches: list[list[str]] = []
    size = _BATCH_BYTES
    for file in files:
        size += len(os.fsencode(file)) + 1
        if size > _BATCH_BYTES or len(batches[-1]) == FILES_AT_ONCE:
            batches.append([])
            size = 0
        batches[-1].append(file)
    return tuple(map(tuple, batches))


def _plan_find(program: str, words: list[str], root: Path) -> PlannedCommand:
    is_path = [not word.startswith("-") and word not in ("!", "(", ")") for word in words]
    first = is_path.index(False) if False in is_path else len(words)
    paths = [path for word in words[:first] or ["."] for path in expand(word, root)]
    queue = words[first:]
    while queue:
        word = queue.pop(0)
        if word not in FIND_TESTS:
            raise RefusedError(f"find: {shlex.quote(word)} is not allowed")
        pattern = FIND_TESTS[word]
        if pattern is None:
            continue
        if not queue:
            raise RefusedError(f"find: {word} needs a value")
        if pattern.fullmatch(text := queue.pop(0)) is None:
            raise RefusedError(f"find: {shlex.quote(text)} can't be a value of {word}")
    return PlannedCommand((program, *paths, *words[first:]), sort_lines=True)
