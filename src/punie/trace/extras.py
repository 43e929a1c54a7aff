"""How to install a package that is missing, as a command that works in the environment we run in.

The packages of an extra are named rather than `punie-trace[extra]`: they are on the index whether or not we are, and it
doesn't matter whether we came from a clone, from a wheel file or from the index.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PACKAGE: Final = "punie-trace"
_UVX: Final = "archive-v"  # the folder of uv's cache in which `uvx` makes an environment for a moment


def install_hint(extra: str) -> str:
    """The command that installs what `extra` needs."""
    return install_command(packages_of(extra))


def packages_of(extra: str) -> tuple[str, ...]:
    """The requirements of an extra on this Python, without their markers; none where it needs nothing here."""
    from importlib import metadata

    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    return tuple(
        f"{item.name}{item.specifier}"
        for item in wanted
        if item.marker and item.marker.evaluate({"extra": extra}) and not item.marker.evaluate({"extra": ""})
    )


def install_command(requirements: Iterable[str], prefix: Path | None = None) -> str:
    """With the pip that is here, else by uv into the environment at `prefix` (by default ours), else by a new pip."""
    names = " ".join(map(shlex.quote, requirements))
    prefix = prefix or Path(sys.prefix)
    if any(part.startswith(_UVX) for part in prefix.parts):
        return f"uvx --from … --with {names.replace(' ', ' --with ')} punie-trace …"
    if importlib.util.find_spec("pip") is not None:
        return f"python -m pip install {names}"
    python = shlex.quote(sys.executable)
    if uv := _uv():
        return f"{uv} pip install --python {shlex.quote(str(prefix))} {names}"
    return f"{python} -m ensurepip && {python} -m pip install {names}"


def _uv() -> str | None:
    """How uv is called: as it called us, by its name, or as a module; environments that it made have neither."""
    called_by = os.environ.get("UV")
    if called_by or shutil.which("uv"):
        return shlex.quote(called_by) if called_by else "uv"
    return f"{shlex.quote(sys.executable)} -m uv" if importlib.util.find_spec("uv") else None
