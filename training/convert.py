"""From trained parameters to a folder that `mlx_lm` loads, five bits a weight."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlx.core as mx
from mlx_lm.convert import convert
from tokenizers import Tokenizer

from training.network import Network
from training.tokenizer import save_tokenizer

BITS = 5
# 32 weights share a scale: the smallest group that mlx knows, and all widths here are multiples of it.
GROUP_SIZE = 32


def write_unquantised(network: Network, tokenizer: Tokenizer, folder: Path) -> None:
    """A folder in the usual form: config, tokenizer, float32 weights under their usual names."""
    save_tokenizer(tokenizer, folder)
    (folder / "config.json").write_text(json.dumps(network.shape.config(), indent=2) + "\n", encoding="utf-8")
    weights = {
        f"model.{name}": mx.array(value.detach().numpy()) for name, value in network.state_dict().items()
    }
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})


def quantise(unquantised: Path, folder: Path) -> None:
    """The same as `mlx_lm convert -q --q-bits 5 --q-group-size 32 --dtype float32`; replaces `folder`."""
    if folder.exists():
        shutil.rmtree(folder)
    convert(
        str(unquantised), str(folder), quantize=True, q_bits=BITS, q_group_size=GROUP_SIZE, dtype="float32"
    )
    # A model card of this tool's own would name a model hub that knows nothing of this model.
    (folder / "README.md").unlink(missing_ok=True)
