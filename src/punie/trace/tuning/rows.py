"""Rows rendered, judged and written: what mlx_lm is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from punie.trace.analysis.tuning.linting import Lint, TrainingMemory, lint
from punie.trace.bench.child import ChildJob
from punie.trace.store import documents
from punie.trace.store.files.whole_file import PRIVATE, write_whole
from punie.trace.tuning.examples import TrainingRow
from punie.trace.tuning.plan import LoraSettings
from punie.trace.tuning.render_process import RenderedRow, RenderJob

_RENDER_S: Final = 900.0


async def render_rows(
    rows: Sequence[TrainingRow], model: str, files: Path, on_step: Callable[[str], None]
) -> tuple[RenderedRow, ...]:
    """Every row as the model's tokenizer sees it. Raises ServerError if the tokenizer can't be loaded."""
    child = ChildJob("punie.trace.tuning.render_process", files, _RENDER_S)
    return await child.run(RenderJob(model, tuple(rows)), tuple[RenderedRow, ...], on_step)


def lint_rows(rendered: Sequence[RenderedRow], settings: LoraSettings, memory: TrainingMemory | None) -> Lint:
    """The linter's result over all rows."""
    return lint(
        [row.facts for row in rendered],
        max_seq_length=settings.max_seq_length,
        batch_size=settings.batch_size,
        memory=memory,
    )


def write_data(rendered: Sequence[RenderedRow], selected: Sequence[str], data: Path) -> None:
    """Write the rows that may be trained on to `train.jsonl`, for this user alone. Raises OutputError."""
    wanted = set(selected)
    lines = [row.line for row in rendered if row.facts.name in wanted]
    write_whole(data / "train.jsonl", "".join(f"{line}\n" for line in lines), mode=PRIVATE)


def training_memory(
    model: str, rendered: Sequence[RenderedRow], settings: LoraSettings, limit_bytes: int | None
) -> TrainingMemory | None:
    """An estimate from the model's files and shape; None where its folder isn't here.

    Adapter: weights, gradients and Adam's two moments, 4 bytes each. Activations: each layer keeps about 16 values of
    the hidden width and 4 of the MLP's for every token until the way back, and the logits stand three times.
    """
    folder = Path(model)
    if not (folder / "config.json").exists() or not rendered:
        return None
    config = documents.read(folder / "config.json", dict[str, Any])
    config = config.get("text_config", config)
    width, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
    mlp = int(config.get("moe_intermediate_size", 0)) * int(config.get("num_experts_per_tok", 1) or 1)
    mlp = mlp or int(config.get("intermediate_size", 4 * width))
    trained = min(settings.num_layers, layers)
    longest = min(settings.max_seq_length, max(row.facts.tokens for row in rendered))
    tokens = settings.batch_size * longest
    per_layer = len(settings.keys) * 2 * settings.rank * width
    return TrainingMemory(
        model_bytes=sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        adapter_bytes=4 * 4 * trained * per_layer,
        activation_bytes=4 * tokens * (layers * (16 * width + 4 * mlp) + 3 * int(config["vocab_size"])),
        limit_bytes=limit_bytes,
    )
