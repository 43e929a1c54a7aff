"""What a benchmark of draft models can be told: one table for the command line and the plan file.

The command line wins over the plan file, the plan file over `--quick`, that over the defaults.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from punie.trace.analysis.speculative.model import DEFAULT_BLOCKS, DEFAULT_REPEATS
from punie.trace.errors import InputError, UsageError
from punie.trace.units import parse_bytes, parse_duration_ns

DEMO: Final = "demo"
DEFAULT_KS: Final = (2, 3, 5)
DEFAULT_MAX_TOKENS: Final = 1024
DRAFT_CACHES: Final = ("off", "server", "both")

_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "model": None,
        "draft": None,
        "k": DEFAULT_KS,
        "suite": None,
        "agent": None,
        "workspace": None,
        "adapter": None,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "temperature": 0.0,
        "blocks": DEFAULT_BLOCKS,
        "repeats": None,  # see `_repeats`
        "draft_cache": "off",
        "seed": 0,
        "query_timeout": 300,
        "ready_timeout": 600,
        "preflight_timeout": 900,
        "target": None,
        "max_memory": None,
        "allow_vocab_mismatch": False,
    }
)
_QUICK: Final[Mapping[str, Any]] = MappingProxyType({"k": (3,), "blocks": 2})
_KINDS: Final[Mapping[str, type]] = MappingProxyType(
    {
        **dict.fromkeys(("max_tokens", "blocks", "repeats", "seed"), int),
        **dict.fromkeys(("query_timeout", "ready_timeout", "preflight_timeout"), int),
        "temperature": float,
        "allow_vocab_mismatch": bool,
    }
)
_LISTS: Final[Mapping[str, type]] = MappingProxyType({"draft": str, "k": int})
_PATHS: Final = ("suite", "workspace", "adapter")
_AT_LEAST_ONE: Final = (
    *("max_tokens", "blocks", "repeats", "query_timeout", "ready_timeout"),
    "preflight_timeout",
)
NAMES: Final = tuple(_DEFAULTS)
"""Every option, as the plan file writes it; a flag has dashes in place of underscores."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Everything that a benchmark was told, checked. Without `model` it is the demo pair; times are seconds."""

    model: str | None
    drafts: tuple[str, ...]
    ks: tuple[int, ...]
    suite: str | None
    agent: str | None
    workspace: str | None
    adapter: str | None
    max_tokens: int
    temperature: float
    blocks: int
    repeats: int
    draft_cache: str
    seed: int
    query_timeout: int
    ready_timeout: int
    preflight_timeout: int
    target_ns: int | None
    max_memory_bytes: int | None
    allow_vocab_mismatch: bool


def merge_options(
    given: Mapping[str, Any], *, plan_file: Path | None = None, quick: bool = False
) -> BenchOptions:
    """The options of the command line (None: not given) over those of `plan_file` over the defaults.

    Raises InputError that names the file and the key, UsageError that names the flag.
    """
    told = read_plan_file(plan_file) if plan_file else {}
    values = {
        **_DEFAULTS,
        **(_QUICK if quick else {}),
        **told,
        **{name: value for name, value in given.items() if name in _DEFAULTS and value is not None},
    }
    return _checked({**values, "repeats": _repeats(values)})


def _repeats(values: Mapping[str, Any]) -> int:
    """With the cache on a second pass by default: what mlx_lm then corrupts shows in prompts that it has seen."""
    told = values["repeats"]
    default = DEFAULT_REPEATS if values["draft_cache"] == "off" else max(2, DEFAULT_REPEATS)
    return default if told is None else int(told)


def read_plan_file(path: Path) -> dict[str, Any]:
    """The options in a TOML file; paths in it are relative to its folder.

    Raises InputError that names the file and the key that is unknown or of the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"plan {path} can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"plan {path} is not valid TOML: {error}") from error
    return {name: _typed(path, name, value) for name, value in table.items()}


def _typed(path: Path, name: str, value: Any) -> Any:  # noqa: ANN401 # a value of TOML
    if name not in _DEFAULTS:
        raise InputError(f"plan {path}: {name} is not known", remedy=f"known are: {', '.join(NAMES)}")
    if name in _LISTS:
        items = value if isinstance(value, list) else [value]
        return tuple(_of_kind(path, name, item, _LISTS[name]) for item in items)
    found = _of_kind(path, name, value, _KINDS.get(name, str))
    return str(path.parent / Path(found).expanduser()) if name in _PATHS else found


def _of_kind(path: Path, name: str, value: Any, kind: type) -> Any:  # noqa: ANN401 # a value of TOML
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise InputError(f"plan {path}: {name} must be {words[kind]}, not {value!r}")
    return value


def _checked(values: Mapping[str, Any]) -> BenchOptions:
    for name in _AT_LEAST_ONE:
        if values[name] < 1:
            raise UsageError(f"{name}: {values[name]} is less than 1")
    if values["temperature"] < 0:
        raise UsageError(f"temperature: {values['temperature']} is less than 0")
    if values["draft_cache"] not in DRAFT_CACHES:
        raise UsageError(
            f"draft_cache: {values['draft_cache']!r} is unknown", remedy=f"use one of {DRAFT_CACHES}"
        )
    if values["agent"] and values["workspace"]:
        raise UsageError("workspace is for the default agent; an agent of yours brings its own tools")
    if values["model"] and not values["draft"]:
        raise UsageError("draft: a model of yours needs a draft model", remedy="add --draft PATH")
    target, most = values["target"], values["max_memory"]
    same = {name: values[name] for name in _DEFAULTS if name not in ("draft", "k", "target", "max_memory")}
    return BenchOptions(
        drafts=_distinct("draft", tuple(values["draft"] or (DEMO,))),
        ks=_distinct("k", _positive_ks(tuple(values["k"]))),
        target_ns=parse_duration_ns(target, flag="--target") if target else None,
        max_memory_bytes=parse_bytes(most, flag="--max-memory") if most else None,
        **same,
    )


def _positive_ks(ks: tuple[int, ...]) -> tuple[int, ...]:
    if not ks or min(ks) < 1:
        raise UsageError(f"k: needs whole numbers from 1 up, not {', '.join(map(str, ks)) or 'nothing'}")
    return ks


def _distinct(name: str, items: tuple[Any, ...]) -> tuple[Any, ...]:
    for item in items:
        if items.count(item) > 1:
            raise UsageError(f"{name}: {item} is given twice")
    return items
