"""A model folder for the real server whose answers are written down: each token decides the next one.

A llama of one layer with its attention and feed-forward parts set to zero, so that an embedding goes straight
to the output, and a matrix there that says which token follows which. Greedy decoding then walks the chain that
starts at the last word of the prompt. A draft with some links of the chain bent has a known acceptance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

END: Final = "<end>"
TOOL_CALL: Final = '{"name":"run_command","arguments":{"command":"ls"}}'
CHAINS: Final[Mapping[str, Sequence[str]]] = {
    "count": ("one", "two", "three", "four", "five", "six", "seven", "eight", END),
    "loop": ("tick", "tack", "tock", "tick"),
    "call": ("<tool_call>", TOOL_CALL, "</tool_call>", END),
    "broken": ("<tool_call> ", "{nonsense", "</tool_call>", END),
}
_TEMPLATE: Final = (
    "{# <tool_call> and tool_call.name tell mlx_lm which tool parser to use #}"
    "{% for message in messages %}{{ message.role }} {{ message.content }} {% endfor %}"
)
_OTHER_WORDS: Final = ("<unknown>", "system", "user", "assistant", "tool", "please", "now", "a", "b", "c")
_HIDDEN: Final = 64


def write_scripted_model(folder: Path, *, bent: Mapping[str, str] | None = None) -> Path:
    """Write the model; `bent` maps a word to another follower than the script's. Returns `folder`."""
    follower = _followers() | dict(bent or {})
    words = list(dict.fromkeys((*_OTHER_WORDS, *follower, *follower.values())))
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder, words)
    _write_config(folder, len(words), words.index(END))
    _write_weights(folder, words, follower)
    return folder


def _followers() -> dict[str, str]:
    chains = [(word, *answer) for word, answer in CHAINS.items()]
    return {word: after for chain in chains for word, after in pairwise(chain)}


def _write_tokenizer(folder: Path, words: Sequence[str]) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=_OTHER_WORDS[0])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "unk_token": _OTHER_WORDS[0],
        "chat_template": _TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write_config(folder: Path, vocabulary: int, end: int) -> None:
    config = {
        "model_type": "llama",
        "vocab_size": vocabulary,
        "eos_token_id": end,
        "hidden_size": _HIDDEN,
        "num_hidden_layers": 1,
        "intermediate_size": _HIDDEN,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": 65536,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(config))


def _write_weights(folder: Path, words: Sequence[str], follower: Mapping[str, str]) -> None:
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models import llama

    config = json.loads((folder / "config.json").read_text())
    del config["eos_token_id"]  # the tokenizer's business
    shapes = llama.ModelArgs(**config)
    weights: dict[str, mx.array] = {
        name: mx.ones(value.shape) if "norm" in name else mx.zeros(value.shape)
        for name, value in cast("list[tuple[str, mx.array]]", tree_flatten(llama.Model(shapes).parameters()))
    }
    place = {word: i for i, word in enumerate(words)}
    weights["model.embed_tokens.weight"] = mx.eye(len(words), _HIDDEN)
    chain = [[0.0] * _HIDDEN for _ in words]
    for word, after in follower.items():
        chain[place[after]][place[word]] = 1.0
    weights["lm_head.weight"] = mx.array(chain)
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
