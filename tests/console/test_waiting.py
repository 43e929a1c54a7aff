"""What is written while something takes long: on a terminal alone, and nothing of it stays."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from itertools import count

import pytest

from punie.trace.waiting import shown


class Terminal(io.StringIO):
    """Standard error of somebody who watches."""

    def isatty(self) -> bool:
        return True


def _clock(step_s: float) -> Callable[[], float]:
    looks = count()
    return lambda: step_s * next(looks)


def test_how_far_it_is_stands_on_a_terminal_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(shown("abcde", lambda number: f"{number} letters", clock=_clock(1))) == list("abcde")
    written = terminal.getvalue().split("\r")[1:]
    assert written[0] == "2 letters\x1b[K"
    assert written[-1] == "\x1b[K"


def test_the_line_goes_also_if_the_work_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def fail(number: int) -> int:
        return 1 // (3 - number)

    with pytest.raises(ZeroDivisionError):
        list(shown(map(fail, range(9)), str, clock=_clock(3)))
    assert "\r2\x1b[K" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_nothing_is_written_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    assert list(shown("ab", str, clock=_clock(9))) == ["a", "b"]
    assert file.getvalue() == ""


def test_what_began_before_is_long_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(shown("ab", str, begun_s=-9.0, clock=_clock(0.1)))
    assert terminal.getvalue().startswith("\r1")
