"""`config.toml`: what an improvement or a training ends with, and what `run`, `serve` and `improve` take.

Paths are relative to the file's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from punie.trace.analysis.experiment.configuration import TABLES, Configuration
from punie.trace.errors import InputError
from punie.trace.store import documents
from punie.trace.toml_files import read_toml

_PATHS: Final = (("server", "adapter"), ("server", "model"), ("server", "draft"), ("agent", "workspace"))


def read_configuration(path: Path) -> Configuration:
    """The file at `path`. Raises InputError that names the file, the table and the key."""
    source = f"config {path}"
    tables = read_toml(path, "config")
    for name, table in tables.items():
        if name not in TABLES:
            raise InputError(f"{source}: {name} is not known", remedy=f"known are: {', '.join(TABLES)}")
        if not isinstance(table, dict):
            raise InputError(f"{source}: {name} is no table", remedy=f"write [{name}]")
        known = [item.name for item in fields(TABLES[name])]
        for key in table:
            if key not in known:
                raise InputError(
                    f"{source}: {name}.{key} is not known", remedy=f"known are: {', '.join(known)}"
                )
    named = frozenset((table, key) for table, keys in tables.items() for key in keys)
    settings: dict[str, Any] = {
        name: documents.typed(_absolute(path.parent, name, tables.get(name, {})), kind, f"{source}: {name}")
        for name, kind in TABLES.items()
    }
    return Configuration(**settings, named=named)


def _absolute(folder: Path, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A model may also be a name that the server downloads: it is a path only if there is something."""
    found = dict(values)
    for of, name in _PATHS:
        value = found.get(name)
        if of == table and isinstance(value, str):
            place = folder / Path(value).expanduser()
            found[name] = (
                str(place.absolute()) if name in ("adapter", "workspace") or place.exists() else value
            )
    return found
