"""What a benchmark is told, by flags and by a plan file."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie.trace.__main__ import build_parser
from punie.trace.bench.options import NAMES, merge_options, read_plan_file
from punie.trace.errors import InputError, UsageError

SHIPPED = Path(__file__).parents[2] / "benchmarks" / "plans" / "qwen3-30b-a3b.toml"


def plan_file(folder: Path, text: str) -> Path:
    file = folder / "plan.toml"
    file.write_text(text)
    return file


def test_a_flag_wins_over_the_plan_file_and_that_over_quick(tmp_path: Path) -> None:
    file = plan_file(tmp_path, "k = [4, 6]\nblocks = 3\nseed = 5\n")
    merged = merge_options({"blocks": 7, "seed": None}, plan_file=file, quick=True)
    assert (merged.ks, merged.blocks, merged.seed) == ((4, 6), 7, 5)
    assert merge_options({}, quick=True).ks == (3,)
    assert merge_options({}).drafts == ("demo",)


def test_the_shipped_plan_is_for_two_drafts_and_names_only_what_is_known() -> None:
    merged = merge_options({}, plan_file=SHIPPED)
    assert len(merged.drafts) == 2
    assert merged.max_memory_bytes == 32 * 10**9
    assert merged.allow_vocab_mismatch


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("blokcs = 3", "blokcs is not known"),
        ("blocks = '3'", "blocks must be a whole number, not '3'"),
        ("blocks = true", "blocks must be a whole number"),
        ("k = [2, 'x']", "k must be a whole number, not 'x'"),
        ("model = 3", "model must be a text"),
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
        {"k": (0,)},
        {"draft": ["a", "a"]},
        {"blocks": 0},
        {"temperature": -1.0},
        {"model": "m"},
        {"draft_cache": "on"},
        {"target": "10"},
        {"agent": "a:b", "workspace": "w"},
    ],
)
def test_what_can_not_work_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        merge_options(given)


def test_every_option_is_a_flag() -> None:
    flags = vars(build_parser().parse_args(["bench", "speculative"]))
    assert set(NAMES) <= set(flags)


def test_with_the_cache_on_each_question_is_asked_again() -> None:
    assert merge_options({"draft_cache": "server"}).repeats == 2
    assert merge_options({"draft_cache": "server", "repeats": 1}).repeats == 1
