"""Why a server failed, in words a user can act on. Pure: exit code and log text in, sentences out."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

THREAD_DIED: Final = "generation thread died"
"""What mlx_lm.server (0.32) logs, before a traceback, when the thread that owns the model ends by an error.

From then on it answers every request with 404 and `/health` with 503.
"""

ADDRESS_IN_USE: Final = "Address already in use"


@dataclass(frozen=True, slots=True)
class LogCause:
    """Signs in the log, any of which shows the cause; what is wrong in a sentence, and what to do."""

    signs: tuple[str, ...]
    sentence: str
    remedy: str


_LOCAL: Final = "Give the folder of a local model with --model, or download it where there is a network."
_SMALLER: Final = "Use fewer bits or a smaller model."

# The first that fits counts: a model that can't be downloaded ends in several of these.
_CAUSES: Final = (
    LogCause(
        (ADDRESS_IN_USE,), "another program has the port", "Choose another with --port, or 0 for a free one."
    ),
    LogCause(
        ("GatherMM",),
        "mixture-of-experts models need float32 or quantised weights on the CPU",
        "Convert the model.",
    ),
    LogCause(
        ("No safetensors found",),
        "the model's folder has no weights",
        "Give one with *.safetensors files with --model.",
    ),
    LogCause(("Insufficient Memory",), "the model doesn't fit into the GPU's memory", _SMALLER),
    LogCause(("Unable to allocate", "MemoryError"), "the model doesn't fit into memory", _SMALLER),
    LogCause(
        ("Repository Not Found", "RepositoryNotFoundError"),
        "there is no such model on Hugging Face, or it isn't public",
        "Check its name (--model), or give the folder of a local one.",
    ),
    LogCause(
        ("OfflineModeIsEnabled",),
        "the model isn't on this machine and downloads are off (HF_HUB_OFFLINE)",
        _LOCAL,
    ),
    LogCause(
        (
            *("LocalEntryNotFoundError", "ConnectError", "ConnectTimeout", "NameResolutionError"),
            *("Name or service not known", "nodename nor servname", "Network is unreachable"),
        ),
        "the model isn't on this machine, and there is no network to download it",
        _LOCAL,
    ),
    LogCause(
        ("Model type",),
        "mlx_lm doesn't know this kind of model",
        "Check model_type in its config.json, or update mlx-lm.",
    ),
    LogCause(
        ("No module named 'mlx",),
        "mlx-lm is not installed there",
        "Install mlx-lm (on Linux with mlx[cpu]) into the interpreter that starts the server.",
    ),
)
_DOWNLOADS: Final = ("Fetching", "Downloading", "B/s]")


def find_cause(log_text: str) -> LogCause | None:
    """The first known cause in the log."""
    return next((cause for cause in _CAUSES if any(sign in log_text for sign in cause.signs)), None)


def is_downloading(log_text: str) -> bool:
    """Whether the end of the log is the progress of a download."""
    last = log_text.rstrip().rpartition("\n")[2].rpartition("\r")[2]
    return any(sign in last for sign in _DOWNLOADS)


_KILLED_BY: Final[Mapping[str, str]] = {
    "SIGKILL": ", as a system does that is out of memory",
    "SIGSEGV": ", a fault of native code; a draft with another tokenizer can cause it",
}


def describe_exit(code: int) -> str:
    """A process's return code in words: `ended with exit status 1`, `was killed by SIGKILL`."""
    number = -code if code < 0 else code - 128
    if number in signal.Signals.__members__.values():
        name = signal.Signals(number).name
        return f"was killed by {name}{_KILLED_BY.get(name, '')}"
    return f"ended with exit status {code}"


def death_line(log_text: str) -> str:
    """The reason in a log text that starts at the line of a dead generation thread."""
    first_line = log_text.partition("\n")[0]
    return first_line.partition(THREAD_DIED)[2].lstrip(": ") or first_line
