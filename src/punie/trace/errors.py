"""Every error that a user can cause or meet: what is wrong, what to do, a slug, and an exit code.

Only `punie.trace.__main__` catches these; whatever else arrives there is a bug, and ends with `ExitCode.BUG`.
`docs/errors.md` explains each slug.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar, Final


class ExitCode(IntEnum):
    """What the command line returns. `docs/errors.md` explains each."""

    OK = 0
    GATE_FAILED = 1
    USAGE = 2
    GATE_UNDECIDED = 3
    SERVER = 4
    INPUT = 5
    WORKLOAD = 6
    EXPORT = 7
    VOCABULARY = 8
    NOTHING_HELPS = 9
    BUDGET_SPENT = 10
    BUG = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` where one of the names is close to what was typed, else nothing."""
    import difflib

    close = difflib.get_close_matches(typed, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


class PunieTraceError(Exception):
    """Base of our errors.

    `message` says what is wrong and names the file, flag or field; `remedy` says what to do next. Each is one line: a
    name in it, which others chose, can't write lines of ours. `slug` is the kind of trouble, under which
    `docs/errors.md` explains it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE
    slug: ClassVar[str] = "usage"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = " ".join(message.splitlines())
        self.remedy = " ".join(remedy.splitlines())
        super().__init__(self.message)


class UsageError(PunieTraceError):
    """A flag or a combination of flags that can't work."""

    exit_code = ExitCode.USAGE
    slug = "usage"


class ConfigError(UsageError):
    """A configuration field with a value that can't work; the message starts with the field's name."""

    slug = "configuration"

    def __init__(self, field: str, problem: str, *, remedy: str = "") -> None:
        super().__init__(f"{field}: {problem}", remedy=remedy)
        self.field = field


class InputError(PunieTraceError):
    """A file or a source that can't be read or isn't what it should be; the message names it."""

    exit_code = ExitCode.INPUT
    slug = "input"


CHECK_PATH: Final = "Check its path, and that you may read it."
CHECK_WRITABLE: Final = "Name a place in which you may write."


class WorkerError(InputError):
    """One of the processes that read a source's traces died; the message says which, and how."""

    slug = "worker"


class ServerError(PunieTraceError):
    """The model server didn't start, died, or its generation thread died.

    `log_tail` is the end of its log; `is_explained` if the message says what it means.
    """

    exit_code = ExitCode.SERVER
    slug = "server"

    def __init__(
        self, message: str, *, log_tail: str = "", remedy: str = "", is_explained: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.log_tail = log_tail
        self.is_explained = is_explained


class WorkloadError(PunieTraceError):
    """The agent or a tool can't be built or used."""

    exit_code = ExitCode.WORKLOAD
    slug = "workload"


class TurnsError(WorkloadError):
    """Two runs that should ask in turns can't: the other one didn't come, or two are there already."""

    slug = "turns"


class ExportError(PunieTraceError):
    """Spans could not be delivered where the user asked for them."""

    exit_code = ExitCode.EXPORT
    slug = "export"


class OutputError(PunieTraceError):
    """A file, standard output or standard error can't be written; the message names it."""

    exit_code = ExitCode.EXPORT
    slug = "output"


class PipeClosedError(OutputError):
    """The reader of our output has closed the pipe: not an error, and nobody to report it to."""

    exit_code = ExitCode.PIPE_CLOSED
    slug = "pipe-closed"


class VocabularyError(PunieTraceError):
    """A draft model whose tokens have other ids than the model's; the message names them."""

    exit_code = ExitCode.VOCABULARY
    slug = "vocabulary"
