"""Where the installed package keeps the demo models and the sample project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def target_model_path() -> Path:
    """Folder of the 5-bit mixture-of-experts demo model, ready for `mlx_lm`."""
    return _package_folder() / "models" / "target"


def draft_model_path() -> Path:
    """Folder of the dense draft model; its tokenizer is the target's."""
    return _package_folder() / "models" / "draft"


def wordy_adapter_path() -> Path:
    """Folder of a LoRA adapter that makes the target say more words than an answer needs."""
    return _package_folder() / "models" / "wordy"


def workspace_path() -> Path:
    """Folder of the sample Django project that the default agent's tools search."""
    return _package_folder() / "workspace"


def _package_folder() -> Path:
    # A model server needs files on disk, so the package must be installed unzipped, as every installer does.
    return Path(str(files("punie.trace.demo")))
