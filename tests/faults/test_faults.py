"""Twelve faults and more: what was made, journalled, delivered, lost, and what the user gets to read.

The same faults with OpenTelemetry's SDK beside us: `benchmarks/faults.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from fault_rows import Outcome, faults, meet_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Expected:
    """Nothing is lost, unless `lost` allows for it. `said` is what the program prints, as a pattern."""

    said: str
    journalled: int = 1000
    delivered: int = 1000
    exit_code: int = 0
    ship_code: int = 0
    lost: range = range(1)
    shippers: int = 1


NOTHING = r"\A\Z"
ALL = r"sent to \S+ \(OTEL_EXPORTER_OTLP_\*\): {} of {} spans accepted"
SOME = r"sent to \S+ \(OTEL_EXPORTER_OTLP_\*\): \d+ of \d+ spans accepted"

TABLE = {
    "receiver down at exit": Expected(
        "0 of 1000 spans accepted, 1000 without an answer: .*Connection refused"
    ),
    "receiver down for a while": Expected(SOME),
    "receiver slow": Expected(SOME),
    "503 for a while": Expected(SOME),
    "429 with Retry-After, twice": Expected(SOME),
    "400 to everything": Expected(r"0 of 1000 spans accepted, (\d+ rejected|1000 without an answer)"),
    "burst of 20,000": Expected(SOME, journalled=20_000, delivered=20_000),
    "kill -9": Expected(NOTHING, exit_code=-9),
    "SIGTERM": Expected(NOTHING, exit_code=-15),
    "os._exit": Expected(NOTHING),
    "disk full": Expected(
        r"spans are held in memory: .*File too large(?s:.*)span journal: 500 lines: ", journalled=500
    ),
    "fork": Expected(SOME),
    "receiver hung": Expected("0 of 1000 spans accepted, 1000 without an answer: no answer within 1 s"),
    "acknowledgement lost": Expected(SOME),
    "accepted in part": Expected("7 rejected: partial success: too old", delivered=993, ship_code=7),
    "disk slow": Expected(SOME, journalled=200, delivered=200),
    "wall clock set back": Expected(SOME),
    "two runs in one folder": Expected(SOME, journalled=2000, delivered=2000, shippers=2),
    "journal removed during the run": Expected(
        r"was removed while it was written: 500 lines of it are gone", journalled=500, lost=range(501)
    ),
    "journal cut during the run": Expected(
        r"was cut while it was written: 2\d\d lines of it are gone", journalled=751, lost=range(251)
    ),
    # The thread that writes the server's spans looks ten times a second.
    "model server, kill -9": Expected(NOTHING, exit_code=-9, lost=range(1, 1001)),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return meet_all(faults(outage_s=2.0, pause_s=1))


def test_every_fault_is_expected() -> None:
    assert list(TABLE) == [fault.name for fault in faults(outage_s=0.0, pause_s=0)]


@pytest.mark.parametrize("name", TABLE)
def test_what_is_lost_and_what_arrives(outcomes: dict[str, Outcome], name: str) -> None:
    found, expected = outcomes[name], TABLE[name]
    assert found.lost in expected.lost
    if found.lost == 0:
        assert (found.journalled, found.later) == (expected.journalled, expected.delivered)
    assert found.later >= found.arrived  # `ship` takes nothing back


@pytest.mark.parametrize("name", TABLE)
def test_what_the_user_reads_is_what_happened(outcomes: dict[str, Outcome], name: str) -> None:
    found, expected = outcomes[name], TABLE[name]
    assert re.search(expected.said, found.said), found.said
    assert set(found.exit_codes) == {expected.exit_code}
    assert found.ship_code == expected.ship_code, found.ship_said
    accepted = [int(count) for count in re.findall(r"(\d+) of \d+ spans accepted", found.said)]
    assert sum(accepted) <= (found.arrived + found.twice) * expected.shippers  # nothing is claimed
    if expected.said is not NOTHING:
        assert len(accepted) == expected.shippers


def test_a_lost_acknowledgement_brings_spans_twice(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["acknowledgement lost"].twice > 0


@pytest.mark.parametrize("name", ["fork", "disk full", "429 with Retry-After, twice", "503 for a while"])
def test_else_they_come_once(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].twice == 0
