"""Two runs in turns: strict while both live, and never stuck when one is gone."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from punie.trace.errors import WorkloadError
from punie.trace.workload.turns import SharedTurns

pytestmark = pytest.mark.anyio


@pytest.fixture
def said() -> list[str]:
    return []


async def ask(turns: SharedTurns, name: str, times: int, log: list[str]) -> None:
    """As a run does it: its turn but where it passes it on."""
    await turns.join(5)
    await turns.take()
    for _ in range(times):
        turns.pass_on()
        await turns.take(asking=True)
        log.append(f"{name} begins")
        await asyncio.sleep(0.002)
        log.append(f"{name} ends")
    turns.pass_on()
    await turns.take()
    turns.close()


async def test_one_asks_while_the_other_waits(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "turn").write_text("b")  # as an earlier pair of runs left it
    (tmp_path / "a.lock").touch()
    log: list[str] = []
    first, second = (SharedTurns(tmp_path, said.append) for _ in range(2))
    await asyncio.gather(ask(first, "first", 5, log), ask(second, "second", 5, log))
    steps = [f"{name} {what}" for name in ("first", "second") for what in ("begins", "ends")]
    assert sorted(log[:4]) == sorted(steps)
    assert log == log[:4] * 5
    assert said == []


async def test_who_has_more_to_ask_goes_on_alone_and_says_so_once(tmp_path: Path, said: list[str]) -> None:
    log: list[str] = []
    first, second = (SharedTurns(tmp_path, said.append) for _ in range(2))
    await asyncio.gather(ask(first, "first", 1, log), ask(second, "second", 4, log))
    assert log.count("second ends") == 4
    assert said == ["the other run has ended: from here on nobody takes turns with this one"]


async def test_a_run_that_is_killed_is_not_waited_for(tmp_path: Path, said: list[str]) -> None:
    program = (
        "import sys, time; from pathlib import Path; from punie.trace.workload.turns import SharedTurns;"
        "turns = SharedTurns(Path(sys.argv[1]), print); print('here', flush=True); time.sleep(60)"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    turns = SharedTurns(tmp_path, said.append)
    await turns.join(5)
    turns.pass_on()
    other.kill()
    await other.wait()
    await asyncio.wait_for(turns.take(asking=True), 10)
    assert len(said) == 1
    turns.close()


async def test_there_are_two_places(tmp_path: Path, said: list[str]) -> None:
    both = [SharedTurns(tmp_path, said.append) for _ in range(2)]
    with pytest.raises(WorkloadError, match="two runs take turns there already"):
        SharedTurns(tmp_path, said.append)
    both[0].close()
    SharedTurns(tmp_path, said.append).close()  # a place that was left can be taken
    both[1].close()


async def test_a_run_that_nobody_joins_gives_up(tmp_path: Path, said: list[str]) -> None:
    turns = SharedTurns(tmp_path / "new", said.append)
    with pytest.raises(WorkloadError, match=r"no other run came within 0\.1 s"):
        await turns.join(0.1)
    assert said == [f"waiting for the run that takes turns with this one: --turns {tmp_path / 'new'}"]
    turns.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkloadError, match=r"--turns .*file"):
        SharedTurns(tmp_path / "file", said.append)
