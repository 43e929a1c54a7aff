"""What the preflight's process measures, on the suite's own prompts and the target's own answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import mlx.core as mx
import psutil

from punie.trace.analysis.speculative.estimates import AcceptanceCount
from punie.trace.bench.child import show_step
from punie.trace.bench.preflight.measurements import (
    AnswerTimings,
    DraftTimings,
    MeasuringJob,
    PreflightMeasurements,
    TextKind,
)
from punie.trace.bench.preflight.models import (
    GeneratedAnswer,
    ModelInMemory,
    Reader,
    drafted_marks,
    is_mixture,
    largest_difference,
    load_model,
    write,
)
from punie.trace.footprint import footprint_reader
from punie.trace.telemetry.mlx.draft import ToolCallText

ANSWER_TOKENS: Final = 96
COST_ROUNDS: Final = 40
LEAST_PROMPTS: Final = 2


@dataclass(slots=True)
class Text:
    """One turn's prompt and the target's answer to it; `prompt` lacks its last token.

    `shared` are the tokens with which an earlier turn began as well: what the server's cache spares.
    """

    prompt: list[int]
    last: int
    shared: int
    prefill_ns: int
    answer: GeneratedAnswer


@dataclass(slots=True)
class Work:
    """The measuring of one job."""

    job: MeasuringJob
    target: ModelInMemory = field(init=False)
    texts: list[Text] = field(default_factory=list)

    def run(self) -> PreflightMeasurements:
        """All of it."""
        began = time.monotonic()
        show_step(f"loading {self.job.model}")
        self.target = load_model(self.job.model, self.job.adapter)
        reader = self._read_and_answer()
        rounds, noise = self._costs(reader)
        return PreflightMeasurements(
            mixture=is_mixture(self.target.model),
            target_bytes=self.target.weight_bytes,
            rounds=rounds,
            logit_noise=noise,
            texts=tuple(_timings(text) for text in self.texts),
            drafts=tuple(self._draft(name) for name in self.job.drafts),
            seconds=time.monotonic() - began,
        )

    def _read_and_answer(self) -> Reader:
        """Prompts until the time is over; the reader has read the last of them."""
        end = time.monotonic() + self.job.seconds
        ends = set(self.target.tokenizer.eos_token_ids)
        reader = Reader(self.target.model)
        for number, tokens in enumerate(self.job.prompts):
            if number >= LEAST_PROMPTS and time.monotonic() > end:
                break
            show_step(f"answering turn {number + 1} of {len(self.job.prompts)} without a draft")
            *prompt, last = tokens
            if number == 0:
                Reader(self.target.model).read(prompt)  # the first one pays for what the others find warm
            reader = Reader(self.target.model)
            took_ns = reader.read(prompt)
            shared = max((_shared(prompt, other[:-1]) for other in self._others(number)), default=0)
            answer = write(reader, last, ends, ANSWER_TOKENS)
            self.texts.append(Text(prompt, last, shared, took_ns, answer))
        return reader

    def _others(self, number: int) -> Sequence[tuple[int, ...]]:
        """What the server has read before; the warm-up before the first turn begins as another query does."""
        return self.job.prompts[:number] or self.job.prompts[1:]

    def _costs(self, reader: Reader) -> tuple[tuple[tuple[float, ...], ...], float]:
        """Rounds of nanoseconds for 1 … largest k + 1 tokens at once, and how far logits differ by that alone."""
        show_step("timing the model on several tokens at once")
        sizes = range(1, self.job.largest_k + 2)
        text = self.texts[-1]
        follows = [text.last, *text.answer.tokens, *text.prompt[-self.job.largest_k - COST_ROUNDS :]]
        rounds: list[tuple[int, ...]] = []
        end, noise, base = time.monotonic() + self.job.seconds, 0.0, reader.length
        for size in sizes:
            reader.verify(follows[:size])  # each size once for what it compiles
        for number in range(min(COST_ROUNDS, len(follows) - self.job.largest_k - 1)):
            if len(rounds) >= 3 and time.monotonic() > end:
                break
            taken = {size: reader.verify(follows[number : number + size]) for size in _rotated(sizes, number)}
            rounds.append(tuple(taken[size] for size in sizes))
            noise = max(noise, _noise(reader, follows[number : number + self.job.largest_k + 1]))
            reader.read(follows[number : number + 1])
        reader.back_to(base)
        return tuple(rounds), max(noise, self._noise_of_path(text))

    def _noise_of_path(self, text: Text) -> float:
        """How far logits differ between an answer read at once with its prompt and one read after it."""
        answer = [text.last, *text.answer.tokens[:16]]
        apart, together = Reader(self.target.model), Reader(self.target.model)
        apart.read(text.prompt)
        one = mx.concatenate([apart.logits([token]) for token in answer])
        all_at_once = together.logits([*text.prompt, *answer])[-len(answer) :]
        return largest_difference(one, all_at_once)

    def _draft(self, name: str) -> DraftTimings:
        """One draft, loaded beside the target and let go again."""
        show_step(f"loading {name}")
        mx.clear_cache()
        mx.reset_peak_memory()
        draft = load_model(name)
        ends = set(self.target.tokenizer.eos_token_ids)
        end, answers, rounds, prefills = time.monotonic() + self.job.seconds, [], [], []
        target = reader = None
        for number, text in enumerate(self.texts):
            if number >= LEAST_PROMPTS and time.monotonic() > end:
                break
            show_step(f"drafting the answer to turn {number + 1} of {len(self.texts)}")
            if number == 0:
                Reader(draft.model).read(text.prompt)
            target, reader = Reader(self.target.model), Reader(draft.model)
            prefills.append((reader.read(text.prompt), target.read(text.prompt)))
            marks = drafted_marks(target, reader, text.last, self.job.largest_k, ends, ANSWER_TOKENS)
            answers.append(self._steps(marks))
            rounds += [
                (reader.draft(text.last, self.job.largest_k) / self.job.largest_k, target.verify([text.last]))
                for _ in range(max(1, COST_ROUNDS // len(self.texts)))
            ]
        process = psutil.Process()
        return DraftTimings(
            weight_bytes=draft.weight_bytes,
            answers=tuple(answers),
            rounds=tuple(rounds),
            prefills=tuple(prefills),
            cache_bytes=target.cache_bytes + reader.cache_bytes if target and reader else 0,
            cached_tokens=reader.length if reader else 0,
            active_bytes=mx.get_active_memory(),
            peak_bytes=mx.get_peak_memory(),
            footprint_bytes=footprint_reader()[1](process),
        )

    def _steps(self, marks: Sequence[tuple[int, bool]]) -> dict[TextKind, AcceptanceCount]:
        """Steps that came to their end, in prose and in tool calls: their number, and how many got to each place."""
        tokenizer = self.target.tokenizer
        inside = ToolCallText(tokenizer.tool_call_start, tokenizer.tool_call_end)
        detokenizer = tokenizer.detokenizer
        taken: dict[TextKind, list[list[int]]] = {kind: [] for kind in TextKind}
        accepted, kind = 0, TextKind.PROSE
        for token, from_draft in marks:
            if accepted == 0:
                kind = TextKind.TOOL_CALL if inside.inside else TextKind.PROSE
            detokenizer.add_token(token)
            inside.read(detokenizer.last_segment)
            accepted += from_draft
            if not from_draft:
                taken[kind].append([int(accepted > place) for place in range(self.job.largest_k)])
                accepted = 0
        return {
            kind: AcceptanceCount(len(rows), tuple(map(sum, zip(*rows, strict=True))))
            for kind, rows in taken.items()
        }


def measure(job: MeasuringJob) -> PreflightMeasurements:
    """The measurements for `job`."""
    return Work(job).run()


def _rotated(sizes: range, number: int) -> list[int]:
    shift = number % len(sizes)
    return [*sizes[shift:], *sizes[:shift]]


def _noise(reader: Reader, tokens: Sequence[int]) -> float:
    """The largest difference of logits between `tokens` read at once and one by one."""
    at_once = reader.logits(tokens)
    reader.trim(len(tokens))
    one_by_one = mx.concatenate([reader.logits([token]) for token in tokens])
    reader.trim(len(tokens))
    return largest_difference(at_once, one_by_one)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens with which both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _timings(text: Text) -> AnswerTimings:
    return AnswerTimings(
        prompt_tokens=len(text.prompt) + 1,
        shared_tokens=text.shared,
        prefill_ns=text.prefill_ns,
        decode_ns=text.answer.decode_ns,
        output_tokens=len(text.answer.tokens),
        finished=text.answer.finished,
    )
