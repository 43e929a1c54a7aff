"""Two runs in turns: strict while both live, and never stuck when one is gone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from punie.trace.errors import TurnsError
from punie.trace.workload.turns import SharedTurns

pytestmark = pytest.mark.anyio

ALONE = "the other run has ended: from here on this one asks alone"
# As a run does it: its turn but where it passes it on. What it does and is told goes into one log.
RUN = """
import asyncio, sys
from pathlib import Path
from punie.trace.workload.turns import SharedTurns

folder, name, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def log(line):
    with (folder / "log").open("a") as file:
        file.write(f"{name} {line}\\n")

async def main():
    turns = SharedTurns(folder, lambda line: log(f"is told: {line}"))
    print("here", flush=True)
    await turns.join(30)
    await turns.take()
    for _ in range(times):
        turns.pass_on()
        await turns.take(for_query=True)
        log("begins")
        await asyncio.sleep(0.01)
        log("ends")
    turns.pass_on()
    await turns.take()
    log("stops")
    turns.close()

asyncio.run(main())
"""


def run(folder: Path, name: str, times: int) -> subprocess.Popen[str]:
    """A run in a process of its own, that has its place."""
    command = (sys.executable, "-c", RUN, str(folder), name, str(times))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def log_of(folder: Path, runs: list[subprocess.Popen[str]]) -> list[str]:
    for process in runs:
        process.communicate(timeout=60)
        assert process.returncode == 0
    lines = (folder / "log").read_text().splitlines()
    return [line for line in lines if "waiting for the run" not in line]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.mark.parametrize("left", ["", "b", "a", "\0\0"])
def test_one_asks_while_the_other_waits_whatever_an_earlier_pair_left(tmp_path: Path, left: str) -> None:
    if left:
        (tmp_path / "turn").write_text(left)
        for place in "ab":
            (tmp_path / f"{place}.lock").touch()
    log = log_of(tmp_path, [run(tmp_path, name, 5) for name in ("first", "second")])
    begins = ("second", "first") if log[0].startswith("second") else ("first", "second")
    assert log[:-2] == [f"{name} {what}" for name in begins for what in ("begins", "ends")] * 5
    assert sorted(log[-2:]) == ["first stops", "second stops"]


def test_who_has_more_to_ask_goes_on_alone_and_says_so_once(tmp_path: Path) -> None:
    log = log_of(tmp_path, [run(tmp_path, "first", 1), run(tmp_path, "second", 4)])
    stopped = log.index("first stops")
    told = log.index(f"second is told: {ALONE}")
    assert told == stopped + 1  # before it asks alone
    assert log.count("second ends") == 4
    assert log.count(log[told]) == 1
    assert log[-1] == "second stops"


async def test_a_run_that_is_killed_is_not_waited_for(tmp_path: Path, said: list[str]) -> None:
    other = run(tmp_path, "other", 1)
    turns = SharedTurns(tmp_path, said.append)
    await turns.join(30)
    other.kill()
    other.communicate()
    turns.pass_on()
    await asyncio.wait_for(turns.take(for_query=True), 30)
    assert said == [ALONE]
    with pytest.raises(TurnsError, match="one that is left of two"):
        SharedTurns(tmp_path, said.append)  # who is alone stays alone
    turns.close()
    SharedTurns(tmp_path, said.append).close()


async def test_there_are_two_places(tmp_path: Path, said: list[str]) -> None:
    both = [SharedTurns(tmp_path, said.append) for _ in range(2)]
    with pytest.raises(TurnsError, match="two runs take turns there already"):
        SharedTurns(tmp_path, said.append)
    both[0].close()
    SharedTurns(tmp_path, said.append).close()  # a place that was left can be taken
    both[1].close()


async def test_a_run_that_nobody_joins_gives_up(tmp_path: Path, said: list[str]) -> None:
    turns = SharedTurns(tmp_path / "new", said.append)
    with pytest.raises(TurnsError, match=r"no other run came within 0\.1 s"):
        await turns.join(0.1)
    assert said == [f"waiting for the run that takes turns with this one: --turns {tmp_path / 'new'}"]
    turns.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TurnsError, match=r"--turns .*file"):
        SharedTurns(tmp_path / "file", said.append)
