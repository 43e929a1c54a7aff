"""The simulated rates in small: chance alone can't make a useless lever pass often, and a planted one is confirmed."""

from __future__ import annotations

import math
import random

import pytest
from improve_rates import RECORDED, Noise, Simulated, improve_with, simulate

from punie.trace.analysis.improvement.model import ImprovementEnding, StageMeasurement, StagePlan

RUNS = 25


def noise() -> Noise:
    generator = random.Random(3)  # noqa: S311 # simulation
    starts = [math.exp(generator.gauss(0, 0.03)) for _ in range(48)]
    return Noise(
        tuple(
            tuple(round(ms * 1e6 * start * math.exp(generator.gauss(0, 0.05))) for ms in (250, 700, 450))
            for start in starts
        )
    )


def test_useless_levers_are_hardly_ever_sold() -> None:
    generator = random.Random(1)  # noqa: S311 # simulation
    runs = [simulate(noise(), 1.0, generator) for _ in range(RUNS)]
    assert sum(run.ending is ImprovementEnding.IMPROVED for run in runs) <= 3


def test_ten_percent_are_confirmed_on_recorded_noise_with_its_bursts() -> None:
    generator = random.Random(4)  # noqa: S311 # simulation
    runs = [simulate(Noise.read(RECORDED), 1.1, generator) for _ in range(60)]
    assert (
        sum(run.ending is ImprovementEnding.IMPROVED and run.holds and run.true == 1.1 for run in runs)
        >= 0.9 * 60
    )


def test_a_planted_lever_is_confirmed_with_an_interval_that_holds_it() -> None:
    generator = random.Random(2)  # noqa: S311 # simulation
    runs = [simulate(noise(), 1.5, generator) for _ in range(RUNS)]
    assert (
        sum(run.ending is ImprovementEnding.IMPROVED and run.holds and run.true == 1.5 for run in runs)
        >= 0.9 * RUNS
    )


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


class Interruptible(Simulated):
    """Ends before the measurement whose number is `last`; what was measured by then is kept."""

    last: int | None = None
    asked: int = 0

    async def measure(self, plan: StagePlan) -> StageMeasurement:
        self.asked += 1
        if self.asked == self.last:
            raise StoppedError
        return await super().measure(plan)


def interruptible() -> Interruptible:
    true = {"cache": 1.3, "brief": 1.15, "nothing": 1.0}
    return Interruptible(Noise.read(RECORDED), true, random.Random(9))  # noqa: S311 # simulation


def test_interrupted_before_any_step_and_resumed_it_comes_to_the_same() -> None:
    whole = interruptible()
    expected = improve_with(whole)
    assert expected[1] is ImprovementEnding.IMPROVED
    for last in range(1, whole.asked + 1):
        executor = interruptible()
        executor.last = last
        with pytest.raises(StoppedError):
            improve_with(executor)
        executor.last = None
        assert improve_with(executor) == expected
