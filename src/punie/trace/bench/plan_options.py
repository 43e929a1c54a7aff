"""The options of a benchmark of draft models from all places that name them.

The command line wins over the plan file, the plan file over `--quick`, that over the defaults.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from punie.trace.bench.options import NAMES, BenchOptions
from punie.trace.errors import InputError, UsageError
from punie.trace.store import documents
from punie.trace.toml_files import read_toml

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_DEFAULTS: Final = BenchOptions()


@dataclass(frozen=True, slots=True)
class _Planned(BenchOptions):
    """The options as a file sets them, within the limits that the flags' own parsers hold."""

    k: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = _DEFAULTS.k
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=10**8)] = _DEFAULTS.max_tokens
    temperature: Annotated[float, msgspec.Meta(ge=0)] = _DEFAULTS.temperature
    query_timeout: Seconds = _DEFAULTS.query_timeout
    ready_timeout: Seconds = _DEFAULTS.ready_timeout
    preflight_timeout: Seconds = _DEFAULTS.preflight_timeout
    blocks: Count = _DEFAULTS.blocks
    repeat: Count | None = _DEFAULTS.repeat
    seed: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)] = _DEFAULTS.seed


_QUICK: Final[Mapping[str, Any]] = {"k": (3,), "blocks": 2}
_PATHS: Final = ("suite", "workspace", "adapter")
_LISTS: Final = ("draft", "k")
_FORMER_NAMES: Final = {"repeats": "repeat"}


def merge_options(
    flags: BenchOptions,
    given: Collection[str] = (),
    *,
    plan_file: Path | None = None,
    quick: bool = False,
) -> BenchOptions:
    """The `given` ones of the command line's `flags` over those of `plan_file` over the defaults.

    Raises InputError that names the file and the key, UsageError that names the flag.
    """
    quickly = _QUICK if quick else {}
    planned = read_plan_file(plan_file) if plan_file else {}
    chosen = {name: getattr(flags, name) for name in NAMES if name in given}
    merged = BenchOptions(**{**quickly, **planned, **chosen})
    _check(merged)
    return merged


def read_plan_file(path: Path) -> dict[str, Any]:
    """The options that a TOML file sets; paths in it are relative to its folder.

    Raises InputError that names the file and the key that is unknown or of the wrong type.
    """
    table = {_FORMER_NAMES.get(name, name): value for name, value in read_toml(path, "plan").items()}
    for name in table:
        if name not in NAMES:
            raise InputError(f"plan {path}: {name} is not known", remedy=f"known are: {', '.join(NAMES)}")
    single = {name: [table[name]] for name in _LISTS if name in table and not isinstance(table[name], list)}
    options = documents.typed(table | single, _Planned, f"plan {path}")
    planned = {name: getattr(options, name) for name in table}
    return planned | {
        name: str(path.parent / Path(planned[name]).expanduser()) for name in _PATHS if name in planned
    }


def _check(options: BenchOptions) -> None:
    if options.agent and options.workspace:
        raise UsageError(
            "--workspace is for the default agent; an --agent of yours brings its own tools",
            remedy="leave one of them out",
        )
    if options.model and not options.draft:
        raise UsageError("--draft: a model of yours needs a draft model", remedy="add --draft PATH")
    for name, items in (("--draft", options.draft), ("--num-draft-tokens", options.k)):
        for item in items:
            if items.count(item) > 1:
                raise UsageError(f"{name}: {item} is given twice", remedy="leave one of them out")
    _ = options.target_ns, options.max_memory_bytes  # raise UsageError for what is none
