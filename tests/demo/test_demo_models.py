"""The committed models: small, loadable by mlx_lm, one tokenizer for both, a template that mlx_lm can parse."""

from __future__ import annotations

import json
from typing import Protocol

import pytest

from punie.trace.demo.paths import draft_model_path, target_model_path, wordy_adapter_path, workspace_path

LIMIT_BYTES = 5_000_000


class ChatTokenizer(Protocol):
    """What these tests use of mlx_lm's tokenizer, which has no types."""

    @property
    def has_tool_calling(self) -> bool: ...

    @property
    def tool_call_start(self) -> str: ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def decode(self, tokens: list[int]) -> str: ...

    def tool_parser(self, text: str, tools: object) -> object: ...


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    from mlx_lm.tokenizer_utils import load

    return load(target_model_path())


def test_all_models_together_are_small() -> None:
    folders = (target_model_path(), draft_model_path(), wordy_adapter_path())
    files = [file for folder in folders for file in folder.iterdir()]

    assert 1_000_000 < sum(file.stat().st_size for file in files) < LIMIT_BYTES


def test_the_target_is_a_five_bit_mixture_of_experts() -> None:
    config = json.loads((target_model_path() / "config.json").read_text(encoding="utf-8"))

    assert config["model_type"] == "qwen3_moe"
    assert (config["num_experts"], config["num_experts_per_tok"]) == (8, 2)
    assert (config["quantization"]["bits"], config["quantization"]["group_size"]) == (5, 32)


def test_the_draft_is_dense_and_smaller() -> None:
    config = json.loads((draft_model_path() / "config.json").read_text(encoding="utf-8"))
    sizes = [
        (path / "model.safetensors").stat().st_size for path in (draft_model_path(), target_model_path())
    ]

    assert config["model_type"] == "qwen3"
    assert sizes[0] * 4 < sizes[1]


def test_target_and_draft_share_every_token_and_its_number() -> None:
    vocabularies = [
        json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
        for path in (target_model_path(), draft_model_path())
    ]

    assert vocabularies[0]["model"]["vocab"] == vocabularies[1]["model"]["vocab"]
    assert vocabularies[0]["added_tokens"] == vocabularies[1]["added_tokens"]
    assert vocabularies[0]["model"]["merges"] == vocabularies[1]["model"]["merges"]


@pytest.mark.parametrize(
    "text", ["./shop/cart.py:12:    total = 0", "naïve café — 一\n\tx", '{"a": "\\"b\\""}', ""]
)
def test_any_text_survives_the_tokenizer(tokenizer: ChatTokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_mlx_lm_parses_tool_calls_as_json(tokenizer: ChatTokenizer) -> None:
    assert tokenizer.has_tool_calling
    assert tokenizer.tool_call_start == "<tool_call>"
    assert tokenizer.tool_parser('{"name": "a", "arguments": {}}', None) == {"name": "a", "arguments": {}}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("accounts/serializers.py", "class UserSerializer("),
        ("shop/views.py", "def product_list(request"),
        ("shop/payments.py", "async def charge("),
    ],
)
def test_the_workspace_holds_what_the_five_questions_ask_for(file: str, text: str) -> None:
    assert text in (workspace_path() / file).read_text(encoding="utf-8")


def test_the_workspace_compiles_and_holds_no_tests() -> None:
    sources = sorted(workspace_path().rglob("*.py"))

    assert 15 <= len(sources) <= 40
    for source in sources:
        assert not source.name.startswith("test_")
        compile(source.read_text(encoding="utf-8"), str(source), "exec")
