"""A real model for a real server: random weights, a tokenizer of a few hundred entries, made in a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 65536,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}
EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
}
ModelMaker = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    """`make_model(name, experts=False, half=False, weights=True)` gives the folder of a model."""

    def make(name: str, *, experts: bool = False, half: bool = False, weights: bool = True) -> Path:
        folder = tmp_path_factory.mktemp(name)
        vocabulary = write_tokenizer(folder)
        kind = {
            "model_type": "qwen3_moe" if experts else "qwen3",
            "vocab_size": vocabulary,
            "eos_token_id": 1,
        }
        config: dict[str, object] = {**kind, **SHAPE, **(EXPERTS if experts else {})}
        (folder / "config.json").write_text(json.dumps(config))
        if weights:
            write_weights(folder, config, half=half)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_model(make_model: ModelMaker) -> Path:
    """A dense float32 model that a server can load and that answers nonsense."""
    return make_model("tiny")


def write_tokenizer(folder: Path) -> int:
    """A byte-level tokenizer without merges; returns its size."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    special = ["<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({text: number for number, text in enumerate(special + alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": special[1],
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer.get_vocab_size()


def write_weights(folder: Path, config: dict[str, object], *, half: bool) -> None:
    """Random weights of the shape that `config` says."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models import qwen3, qwen3_moe

    mx.random.seed(0)
    module = qwen3_moe if config["model_type"] == "qwen3_moe" else qwen3
    model = module.Model(module.ModelArgs.from_dict(config))
    model.set_dtype(mx.bfloat16 if half else mx.float32)
    mx.save_safetensors(
        str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), metadata={"format": "mlx"}
    )
