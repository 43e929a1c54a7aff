"""What a draft model proposed, from the marks on the tokens that came out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punie.trace.telemetry.mlx.draft import DraftCounter


def fed(counter: DraftCounter, marks: str) -> DraftCounter:
    """`d`: a token of the draft, `m`: one that the model made itself."""
    for mark in marks:
        counter.token(from_draft=mark == "d")
    return counter


def test_no_token_no_step() -> None:
    counter = DraftCounter(3, max_tokens=10)
    assert (counter.steps, counter.drafted, counter.accepted) == (0, 0, 0)
    assert counter.accepted_by_position == [0, 0, 0]


def test_steps_of_three() -> None:
    counter = fed(DraftCounter(3, max_tokens=100), "dddm" + "m" + "dm")
    assert (counter.steps, counter.drafted, counter.accepted) == (3, 9, 4)
    assert counter.accepted_by_position == [2, 1, 1]


def test_the_last_step_may_be_cut_short_by_an_end_token() -> None:
    counter = fed(DraftCounter(3, max_tokens=100), "m" + "dd")
    assert (counter.steps, counter.drafted, counter.accepted) == (2, 6, 2)


def test_no_more_is_proposed_than_tokens_are_left() -> None:
    counter = fed(DraftCounter(3, max_tokens=5), "dddm" + "d")
    assert (counter.steps, counter.drafted, counter.accepted) == (2, 4, 4)


def test_a_step_without_proposals() -> None:
    counter = fed(DraftCounter(0, max_tokens=5), "mmm")
    assert (counter.steps, counter.drafted, counter.accepted_by_position) == (3, 0, [])


@given(st.integers(1, 6), st.integers(1, 40), st.lists(st.integers(0, 6), max_size=40))
def test_agrees_with_the_loop_that_it_reads(k: int, max_tokens: int, agreed: list[int]) -> None:
    """The loop of mlx_lm's `speculative_generate_step`, without a model: `agreed` tokens in each step."""
    counter, tokens, drafted, steps = DraftCounter(k, max_tokens), 0, 0, 0
    for good in agreed:
        if tokens == max_tokens:
            break
        proposed = min(max_tokens - tokens, k)
        accepted = min(good, proposed)
        steps, drafted = steps + 1, drafted + proposed
        fed(counter, "d" * accepted)
        tokens += accepted
        if tokens < max_tokens:
            fed(counter, "m")
            tokens += 1
    assert (counter.steps, counter.drafted) == (steps, drafted)
    assert counter.accepted == sum(counter.accepted_by_position)
    assert counter.accepted + steps >= tokens
