"""A draft's tokens against the model's: before anything is started."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.demo.paths import draft_model_path, target_model_path
from punie.trace.errors import ExitCode, VocabularyError
from punie.trace.serving.vocabulary import (
    TokenMismatch,
    check,
    compare_vocabularies,
    find_differences,
    read_vocabulary,
)


@pytest.fixture
def other_draft(tmp_path: Path) -> Path:
    """The demo's draft, with two tokens exchanged and one added by its configuration."""
    folder = tmp_path / "draft"
    shutil.copytree(draft_model_path(), folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = sorted(vocabulary, key=vocabulary.get)[20:22]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def test_vocabularies_are_compared_token_by_token() -> None:
    found = find_differences({"a": 0, "b": 1, "c": 2}, {"a": 0, "b": 2, "d": 3})
    assert [(d.token, d.target, d.draft) for d in found] == [("b", 1, 2), ("c", 2, None), ("d", None, 3)]
    assert find_differences({"a": 0}, {"a": 0}) == ()


def test_a_mismatch_stops_unless_it_is_allowed_and_is_told_then_as_well() -> None:
    found = tuple(TokenMismatch(f"t{number}", number, None) for number in range(10))
    with pytest.raises(VocabularyError, match=r"'t0' \(0 / none\).* and 2 others"):
        check(found, "draft", allow=False)
    assert check(found, "draft", allow=True).startswith("10 tokens of draft differ")
    assert check((), "draft", allow=False) == ""


def test_a_vocabulary_is_what_the_library_of_the_server_reads() -> None:
    from transformers import AutoTokenizer

    model = target_model_path()
    assert read_vocabulary(model) == AutoTokenizer.from_pretrained(model).get_vocab()


def test_the_demo_pair_agrees() -> None:
    assert compare_vocabularies(target_model_path(), draft_model_path(), allow=False) == ""


def test_what_can_not_be_read_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    assert "could not be compared: " in compare_vocabularies(target_model_path(), tmp_path, allow=False)


@pytest.mark.parametrize("verb", [("run", "--runs"), ("serve", "--spans-dir")])
def test_run_and_serve_refuse_a_draft_with_other_tokens_before_they_start(
    verb: tuple[str, str], other_draft: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    flags = [*verb, str(place), "--no-export", "--draft", str(other_draft), "--cache", "off"]
    assert main(flags) == ExitCode.VOCABULARY
    said = capsys.readouterr().err
    assert f"--draft {other_draft}: its tokens aren't the model's: " in said
    assert "[vocabulary]" in said
    assert not place.exists()
