"""In a process of its own: an adapter fused into its model, in one of three ways.

    python -m punie.trace.tuning.fuse_process JOB RESULT

mlx_lm quantises a fused layer again at the base's bits, and may lose what the adapter changed. The other ways keep the
touched layers at 8 bits, or the whole model without quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from punie.trace.analysis.tuning.fusing import FuseWay
from punie.trace.bench.child import serve_job, show_step

_MORE_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class FuseJob:
    """An adapter, the model that it is fused into, the folder `out` for the result."""

    model: str
    adapter: str
    out: str
    way: FuseWay


def fuse(job: FuseJob) -> int:
    """The number of layers that were fused."""
    from mlx.utils import tree_unflatten
    from mlx_lm.utils import dequantize_model, load, save

    show_step("loading the model with its adapter")
    model, tokenizer, config = load(job.model, adapter_path=job.adapter, return_config=True)  # type: ignore[misc]
    show_step(f"fusing ({job.way.value})")
    fused = []
    for name, module in model.named_modules():
        if hasattr(module, "fuse"):
            fused.append((name, _fused(name, module, job.way, config)))
    model.update_modules(tree_unflatten(fused))
    if job.way is FuseWay.DEQUANTIZED:
        model = dequantize_model(model)
        config.pop("quantization", None)
        config.pop("quantization_config", None)
    save(job.out, job.model, model, tokenizer, config, donate_model=False)
    return len(fused)


def _fused(name: str, module: Any, way: FuseWay, config: dict[str, Any]) -> Any:  # noqa: ANN401 - mlx is untyped
    if way is not FuseWay.EIGHT_BITS or not hasattr(module.linear, "bits"):
        return module.fuse(dequantize=way is FuseWay.DEQUANTIZED)
    group_size = module.linear.group_size
    for field in ("quantization", "quantization_config"):
        if field in config:
            config[field][name] = {"group_size": group_size, "bits": _MORE_BITS}
    return module.fuse(dequantize=True).to_quantized(group_size, _MORE_BITS)


if __name__ == "__main__":
    serve_job(fuse, FuseJob)
