"""The split by families: no part knows another, every part has what it needs, the same seed gives the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from punie.trace.analysis.tuning.margin import most_worse, queries_for, smallest_margin
from punie.trace.analysis.tuning.split import (
    AnswerKind,
    Split,
    SplitMinimums,
    SplitQuery,
    refuse_overlap,
    split_by_family,
)
from punie.trace.errors import InputError
from punie.trace.workload.suite import load_suite


def workspace() -> list[SplitQuery]:
    suite = load_suite(Path("workspace"))
    return [
        SplitQuery(query.id, query.text, AnswerKind(query.expected), query.family) for query in suite.queries
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_workspace_suite_splits_into_parts_that_share_no_family(seed: int) -> None:
    queries = {query.query_id: query for query in workspace()}
    split = split_by_family(list(queries.values()), seed=seed)
    parts = [split.train, split.validation, split.held_out, split.control]
    families = [{queries[query_id].family for query_id in part} for part in parts]

    assert sorted(query_id for part in parts for query_id in part) == sorted(queries)
    assert all(one.isdisjoint(other) for one in families for other in families if one is not other)
    tools = sum(queries[query_id].kind is AnswerKind.TOOL for query_id in split.train)
    direct = sum(queries[query_id].kind is AnswerKind.DIRECT for query_id in split.train)
    assert 25 <= tools <= 30
    assert 10 <= direct <= 15
    assert len(split.judged) >= 60
    assert split == split_by_family(list(queries.values()), seed=seed)


def test_control_families_are_never_trained_on() -> None:
    queries = [
        SplitQuery(f"{family}-{n}", f"{family} {n}", AnswerKind.TOOL, family)
        for family in ("control-choice", "a", "b", "c")
        for n in range(3)
    ]
    split = split_by_family(queries, seed=1, trained=SplitMinimums(3, 0), validated=SplitMinimums(3, 0))
    assert split.control == ("control-choice-0", "control-choice-1", "control-choice-2")
    assert len(split.train) == len(split.validation) == len(split.held_out) == 3


@pytest.mark.parametrize("seed", range(20))
def test_every_tool_that_several_families_call_is_trained_validated_and_judged(seed: int) -> None:
    reads = ("files-to-read", "files-by-name", "definitions-of-forms")
    queries = [
        replace(one, tools=frozenset({"read_file"} if one.family in reads else {"run_command"}))
        if one.kind is AnswerKind.TOOL
        else one
        for one in workspace()
    ]
    split = split_by_family(queries, seed=seed)
    readers = {one.query_id for one in queries if "read_file" in one.tools}
    assert split.untrained_tools == ()
    assert all(readers & set(part) for part in (split.train, split.validation, split.held_out))
    tools = sum(one.kind is AnswerKind.TOOL for one in queries if one.query_id in split.train)
    assert 25 <= tools <= 30


@pytest.mark.parametrize("seed", range(9))
def test_every_tool_is_trained_also_where_the_families_of_others_are_queries_enough(seed: int) -> None:
    queries = [
        SplitQuery(
            f"{tool}{family}-{n}",
            f"{tool} {family} {n}",
            AnswerKind.TOOL,
            f"{tool}{family}",
            frozenset({tool}),
        )
        for tool in "abc"
        for family in range(3)
        for n in range(14)
    ]
    split = split_by_family(queries, seed=seed, trained=SplitMinimums(25, 0), validated=SplitMinimums(6, 0))
    assert split.untrained_tools == ()
    assert len(split.train) == 3 * 14


def test_a_tool_of_one_family_is_left_to_judge_and_said() -> None:
    families = ("a", "b", "c", "d")
    queries = [
        SplitQuery(
            f"{family}-{n}", f"{family} {n}", AnswerKind.TOOL, family, frozenset({f"tool-{family > 'c'}"})
        )
        for family in families
        for n in range(2)
    ]
    found = [
        split_by_family(queries, seed=n, trained=SplitMinimums(2, 0), validated=SplitMinimums(2, 0))
        for n in range(9)
    ]
    assert {split.untrained_tools for split in found} == {("tool-True",)}


def test_too_few_families_are_refused() -> None:
    queries = [SplitQuery(str(n), f"question {n}", AnswerKind.TOOL, "one") for n in range(30)]
    with pytest.raises(InputError, match="too few for three parts: nothing is left for validation"):
        split_by_family(queries, seed=0)


def test_the_same_question_in_two_parts_is_refused() -> None:
    split = Split(train=("a",), validation=("c",), held_out=("b",), control=())
    texts = {"a": "What is a view?", "b": "what is a  VIEW", "c": "What is a form?"}
    with pytest.raises(InputError, match=r"query b \(held_out\) asks what a \(train\) asks"):
        refuse_overlap(split, texts)


def test_what_a_number_of_queries_can_show() -> None:
    assert smallest_margin(10) == pytest.approx(0.2589, abs=1e-4)
    assert smallest_margin(59) == pytest.approx(0.0495, abs=1e-4)
    assert queries_for(0.05) == 59
    assert smallest_margin(queries_for(0.1)) <= 0.1 < smallest_margin(queries_for(0.1) - 1)
    assert most_worse(1, 10) == pytest.approx(0.3942, abs=1e-4)  # Clopper and Pearson's table
    assert most_worse(0, 0) == 1
