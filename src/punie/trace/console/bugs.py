"""An unexpected error: a line for the user, and a file for the developer."""

from __future__ import annotations

import os
import re
import tempfile
import traceback

from punie.trace.errors import UsageError
from punie.trace.urls import without_passwords


def describe_bug(error: BaseException) -> str:
    """One line: what was raised, and the path of a file with the traceback, without passwords of URLs in either.

    Only this user can read the file, for a traceback may quote what was being worked on.
    """
    problem = " ".join(without_passwords(f"{type(error).__name__}: {error}").split())[:200]
    return f"a bug of punie-trace: {problem} (its traceback: {_keep_traceback(error)})"


def error_of_a_variable(error: BaseException) -> UsageError | None:
    """What OpenTelemetry raised of a variable of its own, which it reads where it is imported; else None.

    Its text has the variable's name; of some only their value, which others may have, too.
    """
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    if not str(frame.f_globals.get("__name__")).startswith("opentelemetry."):
        return None
    text = str(error)
    own = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
    named = [name for name in own if name in text]
    quoted = [name for name, value in own.items() if any(_has_word(text, word) for word in value.split(","))]
    for name in (*named, *quoted):
        return UsageError(f"{name}={own[name]}: {error}", remedy=f"correct it, or: unset {name}")
    return None


def _has_word(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _keep_traceback(error: BaseException) -> str:
    text = without_passwords("".join(traceback.format_exception(error)))
    try:
        descriptor, path = tempfile.mkstemp(prefix="punie-trace-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as unwritable:
        return f"not kept, {unwritable}; its last lines: {text[-1_000:]}"
    return path
