"""What a model may run: one read-only program, options from an allow-list, nothing outside the workspace.

A command line is taken apart and checked here, and an argument list is built anew from what was understood, so
no text of the model reaches a program in a place where an option is read. There is no shell. Links are never
followed out of the workspace, and recursive grep walks the folders itself: BSD's grep follows links, GNU's doesn't.
A hard link is a file of the workspace like any other: nothing tells it from one.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from punie.trace.workload.tools.confine import RefusedError, expand, regular_files
from punie.trace.workload.tools.policy import FIND_TESTS, POLICY, Options

COMMAND_LIMIT: Final = 2000
"""Characters of a command line; more is refused."""
PROGRAM_FOLDERS: Final = (Path("/usr/bin"), Path("/bin"))
"""Where programs are looked up; the workspace and the user's PATH never are."""

# An escaped character, a quoted text, or something that a shell would act on.
_SHELL_PIECE: Final = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\(|\$\{|[|;&<>`]""", re.DOTALL)
_SUBSTITUTION: Final = re.compile(r"(?<!\\)(?:`|\$\()")
_BATCH_BYTES: Final = 96_000  # far below the 1 MB of macOS and the 2 MB of Linux for all arguments together


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command line as understood: `options` in order, as (option, value or None)."""

    options: tuple[tuple[str, str | None], ...]
    operands: tuple[str, ...]

    def values(self, name: str) -> tuple[str, ...]:
        """Values of option `name`, in order."""
        return tuple(value for option, value in self.options if option == name and value is not None)

    def has(self, name: str) -> bool:
        """Whether option `name` was given."""
        return any(option == name for option, _ in self.options)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: `argv` (absolute program first) once for each of `batches`, appended to it.

    `sort_lines` asks for the output's lines to be sorted, where the program prints in the file system's order.
    """

    argv: tuple[str, ...]
    batches: tuple[tuple[str, ...], ...] = field(default=((),))
    sort_lines: bool = False


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
        found = _SUBSTITUTION.search(piece)
        if found is None:
            return
        piece = found[0]
    raise RefusedError(f"there is no shell, so {piece} does nothing here: run one program, quote the pattern")


def plan_command(command: str, root: Path) -> Plan:
    """Checks `command` against the policy and says what to run in folder `root`.

    Raises RefusedError with the reason. `root` must be resolved (no links in it).
    """
    name, *words = split_command(command)
    options = POLICY.get(name)
    if options is None:
        raise RefusedError(f"{shlex.quote(name)} is not allowed, only: {', '.join(POLICY)}")
    program = _program(name)
    if name == "find":
        return _plan_find(program, words, root)
    parsed = _parse(name, options, words)
    return _plan_grep(program, parsed, root) if name == "grep" else _plan_simple(program, name, parsed, root)


def _program(name: str) -> str:
    for folder in PROGRAM_FOLDERS:
        if (folder / name).is_file():
            return str(folder / name)
    raise RefusedError(f"{name} is not installed in {' or '.join(map(str, PROGRAM_FOLDERS))}")


def _parse(name: str, options: Options, words: list[str]) -> Parsed:
    found: list[tuple[str, str | None]] = []
    operands: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            operands += queue
            break
        if word.startswith("--"):
            found += _long_option(name, options, word, queue)
        elif word.startswith("-") and word != "-":
            found += _short_options(name, options, word, queue)
        else:
            operands.append(word)
    return Parsed(tuple(found), tuple(operands))


def _long_option(name: str, options: Options, word: str, queue: list[str]) -> list[tuple[str, str | None]]:
    long, equals, text = word.partition("=")
    if long in options.ours:
        return [(long, text if equals else _next(name, word, queue))]
    short = options.long.get(long)
    if short is None or (equals and short and short not in options.valued):
        raise RefusedError(f"{name}: option {word} is not allowed")
    if short == "":
        return []
    if short in options.valued:
        return [(short, _value(name, options, short, text if equals else _next(name, word, queue)))]
    return [(short, None)]


def _short_options(name: str, options: Options, word: str, queue: list[str]) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    rest = word[1:]
    if options.numeric and rest.isdecimal():
        return [(options.numeric, _value(name, options, options.numeric, rest))]
    while rest:
        letter, rest = rest[0], rest[1:]
        if letter in options.valued:
            text = rest or _next(name, word, queue)
            return [*found, (letter, _value(name, options, letter, text))]
        if letter not in options.flags:
            raise RefusedError(f"{name}: option -{letter} is not allowed")
        found.append((letter, None))
    return found


def _next(name: str, word: str, queue: list[str]) -> str:
    if not queue:
        raise RefusedError(f"{name}: option {word} needs a value")
    return queue.pop(0)


def _value(name: str, options: Options, letter: str, text: str) -> str:
    if options.valued[letter].fullmatch(text) is None:
        raise RefusedError(f"{name}: {shlex.quote(text)} can't be a value of option -{letter}")
    return text


def _plan_simple(program: str, name: str, parsed: Parsed, root: Path) -> Plan:
    operands = [path for word in parsed.operands for path in expand(word, root)]
    if not operands and POLICY[name].needs_operand:
        raise RefusedError(f"{name} needs a file")
    argv = [program, *(f"-{option}{value or ''}" for option, value in parsed.options)]
    return Plan((*argv, "--", *operands))


def _plan_grep(program: str, parsed: Parsed, root: Path) -> Plan:
    patterns, operands = parsed.values("e"), parsed.operands
    if not patterns:
        if not operands:
            raise RefusedError("grep needs a pattern")
        patterns, operands = operands[:1], operands[1:]
    recursive = parsed.has("r") or parsed.has("R")
    if not operands and not recursive:
        raise RefusedError("grep needs a file to search, or -r for the whole project")
    passed_on = [
        f"-{option}{value or ''}"
        for option, value in parsed.options
        if option not in ("r", "R", "e") and not option.startswith("--")
    ]
    paths = [path for word in operands or (".",) for path in expand(word, root)]
    argv = [program, *passed_on, *(word for pattern in patterns for word in ("-e", pattern))]
    if not recursive:
        return Plan((*argv, "--"), (tuple(paths),))
    if not parsed.has("h") and (len(paths) > 1 or (root / paths[0]).is_dir()):
        argv.insert(1, "-H")
    return Plan((*argv, "--"), _batches(_searched(paths, parsed, root)))


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


def _batches(files: list[str]) -> tuple[tuple[str, ...], ...]:
    """`files` in groups that fit on a command line; none if there are none."""
    batches: list[list[str]] = []
    size = _BATCH_BYTES
    for file in files:
        size += len(os.fsencode(file)) + 1
        if size > _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(file)
    return tuple(map(tuple, batches))


def _plan_find(program: str, words: list[str], root: Path) -> Plan:
    is_path = [not word.startswith("-") and word not in ("!", "(", ")") for word in words]
    first = is_path.index(False) if False in is_path else len(words)
    paths = [path for word in words[:first] or ["."] for path in expand(word, root)]
    queue = words[first:]
    while queue:
        word = queue.pop(0)
        if word not in FIND_TESTS:
            raise RefusedError(f"find: {shlex.quote(word)} is not allowed")
        pattern = FIND_TESTS[word]
        if pattern is not None and pattern.fullmatch(text := _next("find", word, queue)) is None:
            raise RefusedError(f"find: {shlex.quote(text)} can't be a value of {word}")
    return Plan((program, *paths, *words[first:]), sort_lines=True)
