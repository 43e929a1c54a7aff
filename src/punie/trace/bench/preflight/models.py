"""In the preflight's process: models, their caches, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm import load
from mlx_lm.generate import generate_step, speculative_generate_step
from mlx_lm.models.cache import make_prompt_cache, trim_prompt_cache

PREFILL_CHUNK = 512
Foreign = Any
"""A value of mlx, which has no types."""


@dataclass(slots=True)
class ModelInMemory:
    """A model, its tokenizer, the bytes of its weights."""

    model: Foreign
    tokenizer: Foreign
    weight_bytes: int


def load_model(name: str, adapter: str | None = None) -> ModelInMemory:
    """Load it as the server does. Errors of mlx_lm pass."""
    model, tokenizer = load(name, adapter_path=adapter)[:2]
    parameters: list[tuple[str, Foreign]] = list(tree_flatten(model.parameters()))  # type: ignore[arg-type] # a list, without a destination
    return ModelInMemory(model, tokenizer, sum(int(array.nbytes) for _, array in parameters))


def largest_difference(one: Foreign, other: Foreign) -> float:
    """Of two arrays of logits, anywhere."""
    largest: Foreign = mx.max(mx.abs(one - other)).item()
    return float(largest)


def is_mixture(model: Foreign) -> bool:
    """Whether a layer chooses among experts."""
    return any(
        hasattr(module, "num_experts") or "Switch" in type(module).__name__ for module in model.modules()
    )


class Reader:
    """A model with a cache of what it has read so far."""

    def __init__(self, model: Foreign) -> None:
        self.model = model
        self.cache = make_prompt_cache(model)

    @property
    def length(self) -> int:
        """Tokens read."""
        return int(self.cache[0].offset)

    @property
    def cache_bytes(self) -> int:
        """Bytes of the cache, its reserve included."""
        return sum(int(layer.nbytes) for layer in self.cache)

    def read(self, tokens: Sequence[int]) -> int:
        """Read a text in chunks, as a prefill does; nanoseconds."""
        began_ns = time.perf_counter_ns()
        for start in range(0, len(tokens), PREFILL_CHUNK):
            self.model(mx.array([tokens[start : start + PREFILL_CHUNK]]), cache=self.cache)
            mx.eval([layer.state for layer in self.cache])
        return time.perf_counter_ns() - began_ns

    def logits(self, tokens: Sequence[int]) -> Foreign:
        """Read `tokens` at once; float32 logits after each."""
        logits = self.model(mx.array([list(tokens)]), cache=self.cache)[0].astype(mx.float32)
        mx.eval(logits)
        return logits

    def verify(self, tokens: Sequence[int]) -> int:
        """What one verification of `tokens` at once takes, chosen tokens included; nanoseconds. Leaves no trace."""
        began_ns = time.perf_counter_ns()
        logits = self.model(mx.array([list(tokens)]), cache=self.cache)[0]
        mx.eval(mx.argmax(logits - mx.logsumexp(logits, axis=-1, keepdims=True), axis=-1))
        took_ns = time.perf_counter_ns() - began_ns
        self.trim(len(tokens))
        return took_ns

    def draft(self, token: int, count: int) -> int:
        """What it takes to draft `count` tokens one after the other; nanoseconds. Leaves no trace."""
        began_ns = time.perf_counter_ns()
        last, drafted = mx.array([token]), []
        for _ in range(count):
            logits = self.model(last[None], cache=self.cache)[0]
            last = mx.argmax(logits - mx.logsumexp(logits, axis=-1, keepdims=True), axis=-1)
            mx.async_eval(last)  # type: ignore[no-untyped-call] # mlx has no types for it
            drafted.append(last)
        mx.eval(drafted)
        took_ns = time.perf_counter_ns() - began_ns
        self.trim(count)
        return took_ns

    def trim(self, count: int) -> None:
        """Forget the last `count` tokens."""
        trim_prompt_cache(self.cache, count)

    def back_to(self, length: int) -> None:
        """Forget what was read beyond `length`."""
        self.trim(self.length - length)


@dataclass(frozen=True, slots=True)
class GeneratedAnswer:
    """An answer: its tokens, how long all but the first took, whether it came to its end."""

    tokens: tuple[int, ...]
    decode_ns: int
    finished: bool


def write(reader: Reader, last: int, end_ids: set[int], most: int) -> GeneratedAnswer:
    """Plain greedy generation after the text that was read and `last`; the reader is as before afterwards."""
    length, tokens, first_ns = reader.length, [], 0
    finished = False
    steps = generate_step(mx.array([last]), reader.model, max_tokens=most, prompt_cache=reader.cache)
    for token, _ in steps:
        tokens.append(int(token))
        first_ns = first_ns or time.perf_counter_ns()
        if token in end_ids:
            finished = True
            break
    took_ns = time.perf_counter_ns() - first_ns
    steps.close()
    mx.synchronize()
    reader.back_to(length)
    return GeneratedAnswer(tuple(tokens), took_ns, finished)


def drafted_marks(
    target: Reader, draft: Reader, last: int, k: int, end_ids: set[int], most: int
) -> list[tuple[int, bool]]:
    """The same with a draft: tokens with the mark of who made them. Both readers are as before afterwards."""
    lengths = target.length, draft.length
    steps = speculative_generate_step(
        mx.array([last]),
        target.model,
        draft.model,
        num_draft_tokens=k,
        max_tokens=most,
        prompt_cache=[*target.cache, *draft.cache],
    )
    marks = []
    for token, _, from_draft in steps:
        marks.append((int(token), bool(from_draft)))
        if token in end_ids:
            break
    steps.close()
    target.back_to(lengths[0])
    draft.back_to(lengths[1])
    return marks
