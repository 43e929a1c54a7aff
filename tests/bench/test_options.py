"""What a benchmark is told, by flags and by a plan file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from punie.trace.bench.options import NAMES, BenchOptions
from punie.trace.bench.plan_options import merge_options, read_plan_file
from punie.trace.commands.bench import Options
from punie.trace.errors import InputError, UsageError
from punie.trace.options import flags_of

SHIPPED = Path(__file__).parents[2] / "benchmarks" / "plans" / "qwen3-30b-a3b.toml"


def plan_file(folder: Path, text: str) -> Path:
    file = folder / "plan.toml"
    file.write_text(text)
    return file


def test_a_flag_wins_over_the_plan_file_and_that_over_quick(tmp_path: Path) -> None:
    file = plan_file(tmp_path, "k = [4, 6]\nblocks = 3\nseed = 5\n")
    merged = merge_options(BenchOptions(blocks=7, seed=9), {"blocks"}, plan_file=file, quick=True)
    assert (merged.k, merged.blocks, merged.seed) == ((4, 6), 7, 5)
    assert merge_options(BenchOptions(), quick=True).k == (3,)
    assert BenchOptions().drafts == ("demo",)


def test_the_shipped_plan_is_for_two_drafts_and_names_only_what_is_known() -> None:
    merged = merge_options(BenchOptions(), plan_file=SHIPPED)
    assert len(merged.drafts) == 2
    assert merged.max_memory_bytes == 32 * 10**9
    assert merged.allow_vocab_mismatch


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("blokcs = 3", "blokcs is not known"),
        ("blocks = '3'", "blocks: expected a whole number, got text"),
        ("blocks = true", "blocks: expected a whole number, got true or false"),
        ("blocks = 0", "blocks: expected a whole number >= 1"),
        ("blocks = 1000000000", "blocks: expected a whole number <= 10000"),
        ("seed = 0x" + "f" * 4_000, "seed: "),
        ("seed = " + "9" * 5_000, "not valid TOML"),
        ("model = " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
        ("k = []", "k: expected a list of length >= 1"),
        ("k = [2, 'x']", "k[1]: expected a whole number, got text"),
        ("k = 0", "k[0]: expected a whole number >= 1"),
        ("temperature = -1.0", "temperature: expected a number >= 0"),
        ("temperature = nan", "temperature: "),
        ("draft_cache = 'on'", "draft_cache: invalid enum value 'on'"),
        ("model = 3", "model: expected text, got a whole number"),
        ("blocks = ", "not valid TOML"),
    ],
)
def test_an_error_in_a_plan_file_names_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    file = plan_file(tmp_path, text)
    with pytest.raises(InputError, match=r"plan .*plan\.toml") as raised:
        read_plan_file(file)
    assert told in raised.value.message


def test_a_plan_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        read_plan_file(tmp_path / "nowhere.toml")


def test_paths_of_a_plan_file_are_relative_to_it(tmp_path: Path) -> None:
    told = read_plan_file(plan_file(tmp_path, "suite = 'mine.toml'\nmodel = 'org/name'\n"))
    assert told == {"suite": str(tmp_path / "mine.toml"), "model": "org/name"}


@pytest.mark.parametrize(
    "given",
    [
        {"k": (2, 2)},
        {"draft": ("a", "a")},
        {"model": "m"},
        {"target": "10"},
        {"max_memory": "10"},
        {"agent": "a:b", "workspace": "w"},
    ],
)
def test_what_can_not_work_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        merge_options(BenchOptions(**given), given)


def test_a_former_name_of_a_key_is_still_read(tmp_path: Path) -> None:
    assert read_plan_file(plan_file(tmp_path, "repeats = 3\n")) == {"repeat": 3}


def test_every_option_is_a_flag() -> None:
    assert set(NAMES) <= set(flags_of(Options))


def test_with_the_cache_on_each_question_is_asked_again() -> None:
    assert BenchOptions(draft_cache="server").repeats == 2
    assert BenchOptions(draft_cache="server", repeat=1).repeats == 1
