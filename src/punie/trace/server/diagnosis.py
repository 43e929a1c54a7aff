"""Why a server failed, in words a user can act on. Pure: exit code and log text in, sentences out."""

from __future__ import annotations

import signal
from typing import Final

THREAD_DIED: Final = "generation thread died"
"""What mlx_lm.server (0.32) logs, before a traceback, when the thread that owns the model ends by an error.

From then on it answers every request with 404 and `/health` with 503.
"""

ADDRESS_IN_USE: Final = "Address already in use"

_REMEDIES: Final = (
    (ADDRESS_IN_USE, "Another program has the port: choose another, or 0 for a free one."),
    (
        "GatherMM",
        "Mixture-of-experts models need float32 or quantised weights on the CPU: convert the model.",
    ),
    ("No safetensors found", "The model's folder has no weights: give one with *.safetensors files."),
    (
        "Insufficient Memory",
        "The model doesn't fit into the GPU's memory: use fewer bits or a smaller model.",
    ),
    ("Unable to allocate", "The model doesn't fit into memory: use fewer bits or a smaller model."),
    ("Repository Not Found", "No such model: check its name, or give the folder of a local one."),
    (
        "LocalEntryNotFoundError",
        "The model isn't on this machine and couldn't be downloaded: give a local folder.",
    ),
    ("OfflineModeIsEnabled", "The model isn't on this machine and downloads are off: give a local folder."),
    ("Model type", "mlx_lm doesn't know this kind of model: check config.json, or update mlx-lm."),
    (
        "No module named 'mlx",
        "Install mlx-lm (on Linux with mlx[cpu]) into the interpreter that starts the server.",
    ),
)


def remedy_for(log_text: str, *, otherwise: str) -> str:
    """What to do about the first known cause in the log."""
    return next((remedy for sign, remedy in _REMEDIES if sign in log_text), otherwise)


def describe_exit(code: int) -> str:
    """A process's return code in words: `ended with exit status 1`, `was killed by SIGKILL`."""
    number = -code if code < 0 else code - 128
    if number in signal.Signals.__members__.values():
        return f"was killed by {signal.Signals(number).name}"
    return f"ended with exit status {code}"


def death_line(log_text: str) -> str:
    """The reason in a log text that starts at the line of a dead generation thread."""
    first_line = log_text.partition("\n")[0]
    return first_line.partition(THREAD_DIED)[2].lstrip(": ") or first_line
