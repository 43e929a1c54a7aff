"""The page on promises names tests that there are, and has a row for each fault."""

from __future__ import annotations

import re

from fault_rows import faults
from pages import PROJECT

PAGE = (PROJECT / "docs" / "promises.md").read_text(encoding="utf-8")


def test_every_test_that_holds_a_promise_is_there() -> None:
    named = re.findall(r"`((?:\w+/)+(?:test_\w+\.py)?)`", PAGE)
    assert len(named) > 20
    assert [name for name in named if not (PROJECT / "tests" / name).exists() and name != "tests/"] == []


def test_every_fault_has_its_row() -> None:
    table = PAGE.partition("| fault | made |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    assert rows == [fault.name for fault in faults(outage_s=0.0, pause_s=0)]
