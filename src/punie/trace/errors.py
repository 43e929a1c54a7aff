"""Every error that a user can cause or meet, each with an exit code of its own.

Only `punie.trace.__main__.main` catches these; a traceback is for bugs.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line returns. The README lists the same table."""

    OK = 0
    GATE_FAILED = 1
    USAGE = 2
    GATE_UNDECIDED = 3
    SERVER = 4
    INPUT = 5
    WORKLOAD = 6
    EXPORT = 7
    VOCABULARY = 8
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class PunieTraceError(Exception):
    """Base of our errors.

    `message` says what is wrong and names the file, flag or field; `remedy` says what to do next.
    """

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(PunieTraceError):
    """A flag or a combination of flags that can't work."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A configuration field with a value that can't work; the message starts with the field's name."""

    def __init__(self, field: str, problem: str, *, remedy: str = "") -> None:
        super().__init__(f"{field}: {problem}", remedy=remedy)
        self.field = field


class InputError(PunieTraceError):
    """A file or a source that can't be read or isn't what it should be; the message names it."""

    exit_code = ExitCode.INPUT


class ServerError(PunieTraceError):
    """The model server didn't start, died, or its generation thread died."""

    exit_code = ExitCode.SERVER

    def __init__(self, message: str, *, log_tail: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.log_tail = log_tail


class WorkloadError(PunieTraceError):
    """The agent or a tool can't be built or used."""

    exit_code = ExitCode.WORKLOAD


class TurnsError(WorkloadError):
    """Two runs that should ask in turns can't: the other one didn't come, or two are there already."""


class ExportError(PunieTraceError):
    """Spans could not be delivered where the user asked for them."""

    exit_code = ExitCode.EXPORT


class OutputError(PunieTraceError):
    """Standard output or standard error can't be written; the message names it."""

    exit_code = ExitCode.EXPORT


class PipeClosedError(OutputError):
    """Whoever read our output has left: no trouble, and nobody to tell."""

    exit_code = ExitCode.PIPE_CLOSED


class VocabularyError(PunieTraceError):
    """A draft model whose tokens have other ids than the model's; the message names them."""

    exit_code = ExitCode.VOCABULARY
