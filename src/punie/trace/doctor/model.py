"""Can the model be read, and does it fit into memory?"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from punie.trace.doctor.check import CheckResult, fail, ok, unknown, warn
from punie.trace.server.memory_limit import MemoryLimit
from punie.trace.store.files.regular import is_folder
from punie.trace.units import bytes_text

_CONFIG: Final = "config.json"
_WEIGHTS: Final = "*.safetensors"
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
_TOKENIZER_CONFIG: Final = "tokenizer_config.json"
_TAKE_CHAT: Final = "take a model that was trained for chats and tools (instruct)"
_TIGHT: Final = 0.8
_GIVE_FOLDER: Final = "give the folder of an MLX model with --model"


@dataclass(frozen=True, slots=True)
class Model:
    """Where a model is on this disk; `folder` is None for a name that no cache here has."""

    name: str
    folder: Path | None

    def weights_bytes(self) -> int | None:
        """How much is loaded, None if it can't be known."""
        if self.folder is None or not self.folder.is_dir():
            return None
        return sum(path.stat().st_size for path in self.folder.glob(_WEIGHTS)) or None


def find_model(reference: str | Path) -> Model:
    """A folder as it is; else the snapshot in Hugging Face's cache, if there is one."""
    path = Path(os.path.expanduser(reference))  # noqa: PTH111 # pathlib's raises for a user who isn't there
    if is_folder(path) or isinstance(reference, Path) or reference.count("/") != 1 or reference[0] in "./~":
        return Model(str(reference), path)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(reference, _CONFIG)
    except HFValidationError:  # no name of a repository
        return Model(reference, path)
    return Model(reference, Path(cached).parent if isinstance(cached, str) else None)


def check_model(model: Model) -> CheckResult:
    """Every file that the server opens can be opened, and the configuration is JSON."""
    if model.folder is None:
        return warn(
            f"{model.name} is not on this disk: the first run would download it",
            f"download it before, or {_GIVE_FOLDER}",
        )
    problem = _problem(model.folder)
    if problem:
        return fail(problem, _GIVE_FOLDER)
    size = model.weights_bytes() or 0
    return ok(f"{model.folder}: {bytes_text(size)} of weights")


def check_template(model: Model) -> CheckResult:
    """Whether chats and tools can be written down for the model: mlx_lm drops tools that its template doesn't name."""
    if model.folder is None or not model.folder.is_dir():
        return unknown("the model is not on this disk")
    try:
        template = _template(model.folder)
    except (OSError, ValueError) as error:
        return fail(f"the chat template in {model.folder} can't be read: {error}", _GIVE_FOLDER)
    if not template:
        return warn(f"no chat template in {model.folder}: mlx_lm makes up a text, without tools", _TAKE_CHAT)
    if "tools" not in template:
        return warn(
            f"the chat template in {model.folder} has no place for tools: the model never sees them",
            _TAKE_CHAT,
        )
    return ok("the chat template supports tools")


def _template(folder: Path) -> str:
    """The text of the template, of all of them where there are several; empty if there is none."""
    for name in ("chat_template.jinja", "chat_template.json"):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    config = folder / _TOKENIZER_CONFIG
    if not config.is_file():
        return ""
    return json.dumps(json.loads(config.read_text(encoding="utf-8")).get("chat_template") or "").strip('"')


def _problem(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}"
    try:
        json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        weights = sorted(folder.glob(_WEIGHTS))
        for path in weights:
            with path.open("rb") as file:
                file.read(8)
    except FileNotFoundError:
        return f"there is no {_CONFIG} in {folder}"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except ValueError as error:
        return f"{folder / _CONFIG}: not JSON: {error}"
    if not weights:
        return f"there are no weights ({_WEIGHTS}) in {folder}"
    is_there = any((folder / name).is_file() for name in _TOKENIZERS)
    return "" if is_there else f"there is no tokenizer ({', '.join(_TOKENIZERS)}) in {folder}"


def check_memory(
    weights_bytes: int | None, limit: MemoryLimit, *, available_bytes: int | None = None
) -> CheckResult:
    """Weights against what the machine recommends and what is free now. Caches and activations come on top."""
    free = psutil.virtual_memory().available if available_bytes is None else available_bytes
    machine = (
        f"{bytes_text(limit.limit_bytes)} recommended ({limit.source}), {bytes_text(free)} available now"
    )
    if weights_bytes is None:
        return unknown(f"{machine}; the model's size is not known")
    facts = f"{bytes_text(weights_bytes)} of weights; {machine}"
    smaller = "use fewer bits or a smaller model"
    if weights_bytes > limit.limit_bytes:
        return fail(f"{facts}: it doesn't fit", smaller)
    if weights_bytes > free:
        return warn(f"{facts}: it would swap", "close other programs")
    if weights_bytes > _TIGHT * limit.limit_bytes:
        return warn(f"{facts}: little is left for caches", smaller)
    return ok(facts)


def check_disk(runs: Path, *, low_bytes: int = 1_000_000_000, needed_bytes: int = 100_000_000) -> CheckResult:
    """The folder for runs can be written, and there is room. Nothing is left there."""
    place = _nearest(runs.absolute())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        return fail(f"{place} can't be written", "choose another folder with --runs")
    free = psutil.disk_usage(str(place)).free
    facts = f"{bytes_text(free)} free for {runs}"
    if free < needed_bytes:
        return fail(facts, "make room, or choose another folder with --runs")
    if free < low_bytes:
        return warn(facts, "make room before long runs")
    return ok(facts)


def _nearest(path: Path) -> Path:
    """The folder, or the closest one above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())
