"""The options of a benchmark of draft models: one declaration for the command line and the plan file.

The command line wins over the plan file, the plan file over `--quick`, that over the defaults.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from punie.trace.analysis.speculative.model import DEFAULT_BLOCKS, DEFAULT_REPEATS
from punie.trace.errors import InputError, UsageError
from punie.trace.options import choice, flag, real_number, switch, whole_number
from punie.trace.store import documents
from punie.trace.units import parse_bytes, parse_duration_ns

DEMO: Final = "demo"
DraftCache = Literal["off", "server", "both"]
LARGEST_PLAN_FILE: Final = 1_000_000
"""Bytes. A plan has twenty keys; whatever is larger is another file."""

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


def _ks(text: str) -> tuple[int, ...]:
    return tuple(whole_number(1)(item) for item in text.split(","))


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Everything that a benchmark is to do. Without `model` it is the demo pair; times are seconds."""

    model: str | None = flag("--model", "PATH", "a folder, or ORG/NAME", shown="the demo model")
    adapter: str | None = flag("--adapter", "PATH", "a LoRA adapter for the model")
    draft: tuple[str, ...] = flag(
        "--draft",
        "PATH",
        "a draft model; may be given several times",
        action="append",
        default=(),
        shown="demo",
    )
    k: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = flag(
        "--k", "K,K", "tokens drafted a step", parse=_ks, default=(2, 3, 5), shown="2,3,5"
    )
    draft_cache: DraftCache = choice(
        "--draft-cache",
        get_args(DraftCache),
        "the prompt cache of the draft arms",
        default="off",
        shown="off, since mlx_lm corrupts the context with it",
    )
    allow_vocab_mismatch: bool = switch(
        "--allow-vocab-mismatch", "go on although some tokens of a draft have other ids"
    )
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=10**8)] = flag(
        "--max-tokens", "N", "limit of one answer", parse=whole_number(1, 10**8), default=1024
    )
    temperature: Annotated[float, msgspec.Meta(ge=0)] = flag(
        "--temperature", "T", "sampling temperature", parse=real_number(0), default=0.0
    )
    suite: str | None = flag("--suite", "FILE", "a suite of queries", shown="discrimination")
    agent: str | None = flag("--agent", "MODULE:ATTRIBUTE", "your own PydanticAI agent")
    workspace: str | None = flag("--workspace", "DIR", "what the default agent's tools see")
    query_timeout: Seconds = flag("--query-timeout", "S", "for one query", parse=whole_number(1), default=300)
    ready_timeout: Seconds = flag(
        "--ready-timeout", "S", "for a server start", parse=whole_number(1), default=600
    )
    preflight_timeout: Seconds = flag(
        "--preflight-timeout", "S", "for the preflight with loading", parse=whole_number(1), default=900
    )
    blocks: Count = flag(
        "--blocks", "N", "starts of each server", parse=whole_number(1, 10_000), default=DEFAULT_BLOCKS
    )
    repeat: Count | None = flag(
        "--repeat",
        "N",
        "passes over the suite in a start",
        parse=whole_number(1, 10_000),
        shown="1; 2 with the drafts' prompt cache on",
    )
    seed: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)] = flag(
        "--seed", "N", "of the orders", parse=whole_number(-(2**62), 2**62), default=0
    )
    target: str | None = flag("--target", "TIME", "how long a query may take, e.g. 10s")
    max_memory: str | None = flag("--max-memory", "SIZE", "what the server may use, e.g. 32GB")

    @property
    def repeats(self) -> int:
        """With the cache on a second pass by default: what mlx_lm then corrupts shows in prompts that it has seen."""
        return self.repeat or (DEFAULT_REPEATS if self.draft_cache == "off" else max(2, DEFAULT_REPEATS))

    @property
    def drafts(self) -> tuple[str, ...]:
        """The draft models; the demo's without any."""
        return self.draft or (DEMO,)

    @property
    def target_ns(self) -> int | None:
        """Raises UsageError for what is no time."""
        return parse_duration_ns(self.target, flag="--target") if self.target else None

    @property
    def max_memory_bytes(self) -> int | None:
        """Raises UsageError for what is no size."""
        return parse_bytes(self.max_memory, flag="--max-memory") if self.max_memory else None


NAMES: Final = tuple(item.name for item in fields(BenchOptions))
"""Every option, as the plan file writes it; a flag has dashes in place of underscores."""
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
    table = {_FORMER_NAMES.get(name, name): value for name, value in _read_toml(path).items()}
    for name in table:
        if name not in NAMES:
            raise InputError(f"plan {path}: {name} is not known", remedy=f"known are: {', '.join(NAMES)}")
    single = {name: [table[name]] for name in _LISTS if name in table and not isinstance(table[name], list)}
    options = documents.typed(table | single, BenchOptions, f"plan {path}")
    found = {name: getattr(options, name) for name in table}
    return found | {
        name: str(path.parent / Path(found[name]).expanduser()) for name in _PATHS if name in found
    }


def _read_toml(path: Path) -> dict[str, Any]:
    text = documents.read_text(path, what=f"plan {path}", most_bytes=LARGEST_PLAN_FILE)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
        raise InputError(f"plan {path}: not valid TOML: {error}") from error


def _check(options: BenchOptions) -> None:
    if options.agent and options.workspace:
        raise UsageError(
            "--workspace is for the default agent; an --agent of yours brings its own tools",
            remedy="leave one of them out",
        )
    if options.model and not options.draft:
        raise UsageError("--draft: a model of yours needs a draft model", remedy="add --draft PATH")
    for name, items in (("--draft", options.draft), ("--k", options.k)):
        for item in items:
            if items.count(item) > 1:
                raise UsageError(f"{name}: {item} is given twice", remedy="leave one of them out")
    _ = options.target_ns, options.max_memory_bytes  # raise UsageError for what is none
