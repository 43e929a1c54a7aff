"""What goes to standard output and standard error: written at once, so that what can't be written is known here."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import IO, AnyStr, Final

from punie.trace.errors import OutputError, PipeClosedError
from punie.trace.report.inert import inert

_OUT: Final = 1
_INTO_A_FILE: Final = "Make room, or write to a file with -o."
_STAND_INS: Final = str.maketrans(
    {
        "·": "-",
        "–": "-",
        "─": "-",
        "→": "->",
        "…": "...",
        "≥": ">=",
        "±": "+/-",
        "×": "x",
        "µ": "u",
        "█": "#",
        "▌": "=",
        "▏": "|",
        "░": ".",
        "▒": "%",
        "\N{REPLACEMENT CHARACTER}": "?",
    }
)
"""As wide as what they stand for where tables and drawings have them."""
_ERR: Final = 2


@contextmanager
def stdout_reserved_for_report() -> Iterator[None]:
    """What user code and its children print inside goes to standard error, and standard output stays open."""
    if sys.stdout is None or sys.stderr is None:  # closed before Python started
        yield
        return
    saved = os.dup(_OUT)
    os.dup2(_ERR, _OUT)
    others = io.TextIOWrapper(
        io.FileIO(_OUT, "w", closefd=False), errors="backslashreplace", write_through=True
    )
    try:
        with redirect_stdout(others):
            yield
    finally:
        os.dup2(saved, _OUT)
        os.close(saved)


@contextmanager
def importing_agent(reference: str | None, slow_after_s: float = 30.0) -> Iterator[None]:
    """As `stdout_reserved_for_report`; once it takes long, what we wait for is said: some modules serve for ever."""
    text = f"--agent {reference}: still being imported after {slow_after_s:g} s: does it start a server, or wait?\n"
    timer = threading.Timer(slow_after_s, write_err, [text])
    timer.daemon = True
    if reference:
        timer.start()
    try:
        with stdout_reserved_for_report():
            yield
    finally:
        timer.cancel()


def write_out(text: str) -> None:
    """Write to standard output. Raises OutputError, or PipeClosedError if nobody reads it any more."""
    _write(sys.stdout, "standard output", text)


def write_out_readable(text: str) -> None:
    """As `write_out`, for people: what the stream's encoding doesn't have is written in ASCII."""
    encoding = getattr(sys.stdout, "encoding", None)  # a stream in memory has none
    write_out(in_encoding(text, encoding) if encoding else text)


def write_out_whole(text: str) -> None:
    """As `write_out`, for programs: in UTF-8, as JSON has to be and as pages say of themselves, whatever the stream's.

    A document comes in parts, of which some may fit another encoding and some may not.
    """
    if getattr(sys.stdout, "encoding", None) is None or text.isascii():  # a stream in memory has none
        write_out(text)
    else:
        write_out_bytes(text.encode())


def in_encoding(text: str, encoding: str) -> str:
    """`text` with stand-ins for what an encoding lacks: `·` becomes `-`, `█` becomes `#`, anything else `?`."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_STAND_INS).encode(encoding, errors="replace").decode(encoding)
    return text


def write_out_bytes(content: bytes) -> None:
    """As `write_out`, for what is no text."""
    _write(sys.stdout and sys.stdout.buffer, "standard output", content)


def write_err(text: str) -> None:
    """Write to standard error, as `write_out`; of what others named only that a terminal doesn't obey it."""
    reopen_standard_error()
    _write(sys.stderr, "standard error", harmless(text))


def reopen_standard_error() -> None:
    """User code may have closed the stream; what is below it stays open."""
    if sys.stderr is not None and sys.stderr.closed:
        sys.stderr = io.TextIOWrapper(io.FileIO(_ERR, "w", closefd=False), write_through=True)


def write_out_inert(text: str) -> None:
    """Write to standard output what holds words of others that no writer of reports has made harmless."""
    write_out_readable(harmless(text))


def colored() -> bool:
    """Whether standard output is a terminal whose user wants colours."""
    return on_terminal() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def harmless(text: str) -> str:
    """Words of others as they may be shown: nothing that a terminal obeys, and no password of a URL."""
    from punie.trace.urls import without_passwords

    return "\n".join(map(inert, without_passwords(text).split("\n")))


def _write(stream: IO[AnyStr] | None, name: str, text: AnyStr) -> None:
    if stream is None:  # closed before Python started: `>&-`
        raise OutputError(f"{name} is closed", remedy=_INTO_A_FILE)
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError as error:
        raise OutputError(
            f"{name}: its encoding, {error.encoding}, has no {error.object[error.start]!a}",
            remedy="set PYTHONIOENCODING=utf-8, or write to a file with -o",
        ) from error
    except BrokenPipeError as error:
        _discard_buffer(stream)
        raise PipeClosedError(f"{name}: nobody reads it any more") from error
    except OSError as error:
        _discard_buffer(stream)
        raise OutputError(
            f"{name}: can't be written: {error.strerror or error}", remedy=_INTO_A_FILE
        ) from error


def _discard_buffer(stream: IO[AnyStr]) -> None:
    """Let what the stream still holds go nowhere: Python writes it at its end, and would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
