"""An error that nobody foresaw: a line for who meets it, and a file for who mends it."""

from __future__ import annotations

import os
import tempfile
import traceback

from punie.trace.urls import without_passwords


def describe_bug(error: BaseException) -> str:
    """One line: what was raised, and the path of a file with the traceback, without passwords of URLs in either.

    Only this user can read the file, for a traceback may quote what was being worked on.
    """
    problem = " ".join(without_passwords(f"{type(error).__name__}: {error}").split())[:200]
    return f"a bug of punie-trace: {problem} (its traceback: {_keep_traceback(error)})"


def _keep_traceback(error: BaseException) -> str:
    text = without_passwords("".join(traceback.format_exception(error)))
    try:
        descriptor, path = tempfile.mkstemp(prefix="punie-trace-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as unwritable:
        return f"not kept, {unwritable}; its last lines: {text[-1_000:]}"
    return path
