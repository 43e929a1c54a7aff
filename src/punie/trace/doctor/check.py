"""What a check finds: a status, the facts, the next step."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from punie.trace.safely import SAFELY


class Status(StrEnum):
    """`fail`: something that a run needs isn't as it must be. `unknown`: it could not be found out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the diagnosis. `next_step` is empty if there is nothing to do; `run_checks` sets the subject."""

    status: Status
    observed: str
    next_step: str = ""
    subject: str = ""


ok = partial(CheckResult, Status.OK)
warn = partial(CheckResult, Status.WARN)
fail = partial(CheckResult, Status.FAIL)
unknown = partial(CheckResult, Status.UNKNOWN)

Check = Callable[[], CheckResult]


def run_checks(checks: Sequence[tuple[str, Check]]) -> tuple[CheckResult, ...]:
    """Every check, one after the other; one that breaks is a finding, not the end of the others."""
    return tuple(_run(subject, check) for subject, check in checks)


def _run(subject: str, check: Check) -> CheckResult:
    try:
        return replace(check(), subject=subject)
    except Exception as error:  # noqa: BLE001 # a diagnosis that breaks at the first illness helps nobody
        return unknown(f"the check failed: {type(error).__name__}: {error}", subject=subject)


def python_output(program: str, *, timeout_s: float = 120.0, python: str = sys.executable) -> str:
    """What `program` prints in a process of its own, where a crash of what it imports does no harm.

    Raises `PythonError` with the last line of its errors.
    """
    try:
        done = subprocess.run(
            (python, SAFELY, "-c", program), capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise PythonError(f"no answer within {timeout_s:g} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise PythonError(lines[-1] if lines else f"exit status {done.returncode}")
    return done.stdout


class PythonError(Exception):
    """A program that was asked something failed; the message is its last line."""
