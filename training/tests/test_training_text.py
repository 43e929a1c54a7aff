"""The training text: the same for the same seed, in the tools' format, and free of the held-out questions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest

from punie.trace.demo.paths import target_model_path
from punie.trace.workload.suite import Suite, load_suite
from training.dialogues import FIVE, Call, Dialogue, DialogueMaker, concepts, topics
from training.names import NameMaker
from training.outputs import OUTPUT_LIMIT, limited
from training.tokenizer import name_pieces

HELD_OUT_NAMES = (
    "OrderLineSerializer",
    "ProductQuerySet",
    "PROVIDER_URL",
    "SignupForm",
    "LastSeenMiddleware",
    "CommentForm",
    "BurstThrottle",
    "DailyThrottle",
    "GreenhouseInventory",
    "drain_queue",
    "enqueue_mail",
    "signature_matches",
    "charge_payload",
    "newsletter",
    "postcode",
    "refund",
    "biography",
    "geofencing",
    "leaderboard",
    "UserRateThrottle",
    "AbstractUser",
    "notifications/webhooks.py",
    "api/throttling.py",
    "shop/payments.py",
)


@pytest.fixture(scope="module")
def held_out() -> Suite:
    return load_suite(Path(__file__).parents[2] / "tests" / "data" / "held_out.toml")


@pytest.fixture(scope="module")
def maker() -> DialogueMaker:
    """The maker that training uses: names are made of the tokenizer's pieces, too."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(target_model_path() / "tokenizer.json"))
    return DialogueMaker(NameMaker(pieces=name_pieces(tokenizer)))


def sample(maker: DialogueMaker, count: int, seed: int = 7) -> Iterator[Dialogue]:
    return islice(maker.stream(Random(seed)), count)  # noqa: S311 # invents text, keeps no secret


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9_']+", text.lower())


def five_grams(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return set(zip(*(found[start:] for start in range(5)), strict=False))


def test_same_seed_makes_the_same_dialogues(maker: DialogueMaker) -> None:
    def digest(seed: int) -> str:
        texts = "\n".join(dialogue.text() for dialogue in sample(maker, 300, seed))
        return hashlib.sha256(texts.encode()).hexdigest()

    assert digest(3) == digest(3)
    assert digest(3) != digest(4)


def test_held_out_has_forty_questions_of_both_kinds(held_out: Suite) -> None:
    kinds = [type(query.expectation).__name__ for query in held_out.queries]

    assert len(kinds) == 40
    assert kinds.count("ExpectDirect") >= 10
    assert kinds.count("ExpectTool") >= 20


def test_every_held_out_name_is_asked_for(held_out: Suite) -> None:
    texts = " ".join(query.text for query in held_out.queries)

    assert [name for name in HELD_OUT_NAMES if name not in texts] == []


def test_held_out_shares_no_name_and_no_five_words_with_the_training_text(
    held_out: Suite, maker: DialogueMaker
) -> None:
    names = re.compile(
        r"(?<![\w/])(?:" + "|".join(map(re.escape, HELD_OUT_NAMES)) + r")(?!\w)", re.IGNORECASE
    )
    forbidden = set().union(*(five_grams(query.text) for query in held_out.queries))
    shared: list[object] = []
    for dialogue in sample(maker, 30_000):
        shared += names.findall(dialogue.text())
        shared += five_grams(dialogue.question) & forbidden

    assert shared == []


def test_the_overlap_check_sees_an_overlap(held_out: Suite) -> None:
    question = held_out.queries[0].text

    assert five_grams(f"Well, {question}") & five_grams(question)


def test_all_kinds_of_dialogues_occur(maker: DialogueMaker) -> None:
    made = list(sample(maker, 4000))
    calls = [dialogue.call for dialogue in made if dialogue.call]
    outputs = [call.output for call in calls]

    assert {call.tool for call in calls} == {"run_command", "read_file"}
    assert {call.value.split()[0] for call in calls if call.tool == "run_command"} == {"grep", "find", "wc"}
    assert "(no output, exit status 1)" in outputs
    assert any(output.startswith("error: ") for output in outputs)
    assert any(re.search(r"\n\[truncated: showing \d+ of \d+ lines\]$", output) for output in outputs)
    assert {dialogue.question for dialogue in made} >= set(FIVE)
    assert len({dialogue.question for dialogue in made}) > 3800


def test_an_answer_after_a_call_copies_from_what_the_tool_printed(maker: DialogueMaker) -> None:
    for dialogue in sample(maker, 2000):
        place = re.search(r"in (\./\S+) at line (\d+)\.$", dialogue.answer)
        if place and dialogue.call:
            assert dialogue.call.output.startswith(f"{place[1]}:{place[2]}:"), dialogue


def test_long_output_is_cut_at_a_line_end_like_that_of_the_tools() -> None:
    from punie.trace.workload.tools.tools import limited as tool_limited

    lines = [f"./shop/cart.py:{number}:    total = {number}" for number in range(1, 400)]

    assert limited(lines) == tool_limited("\n".join(lines), OUTPUT_LIMIT)


def test_sorted_paths_in_search_output(maker: DialogueMaker) -> None:
    for dialogue in sample(maker, 500):
        if dialogue.call and dialogue.call.value.startswith("find"):
            paths = [line for line in dialogue.call.output.splitlines() if line.startswith("./")]
            assert all(one <= other for one, other in pairwise(paths))


def test_tables_are_complete() -> None:
    names = [name for topic in topics() for name in topic.names]
    phrases = [phrase for concept in concepts() for phrase in concept.phrases]

    assert len(topics()) > 120
    assert len(names) == len(set(names))
    assert len(phrases) == len(set(phrases))
    assert "async/await" in names


def test_messages_have_the_form_of_the_chat_api() -> None:
    call = Call("run_command", "command", "wc -l shop/cart.py", "35 shop/cart.py")
    messages = Dialogue("How long is shop/cart.py?", "shop/cart.py has 35 lines.", call).messages()

    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert messages[2]["tool_calls"] == [
        {
            "type": "function",
            "function": {"name": "run_command", "arguments": {"command": "wc -l shop/cart.py"}},
        }
    ]
