"""Flags that several verbs and the plan file of draft models share: each is declared once, as a field of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from punie.trace.analysis.experiment.size import DEFAULT_MAX_TOKENS
from punie.trace.options import flag, real_number, switch, whole_number

Parse = Callable[[str], Any]
# `Any` below is a field of the type that the dataclass declares, as of `options.flag`.
# ruff: noqa: ANN401


PREFLIGHT_TIMEOUT: Final = "--preflight-timeout"
"""The flag with the time for a preflight, and for the look at logits after a benchmark."""


def suite_flag(parse: Parse = str, shown: str = "discrimination") -> Any:
    """What is asked."""
    return flag("--suite", "FILE", "a suite of queries", parse=parse, shown=shown)


def agent_flag(shown: str = "one that reads --workspace") -> Any:
    """The agent that answers."""
    return flag("--agent", "MODULE:ATTRIBUTE", "your own PydanticAI agent", shown=shown)


def workspace_flag(parse: Parse = str, shown: str = "the demo project") -> Any:
    """The folder of the default agent."""
    return flag("--workspace", "DIR", "what the default agent's tools see", parse=parse, shown=shown)


def query_timeout_flag() -> Any:
    """A bound for each query, in seconds."""
    return flag("--query-timeout", "S", "seconds for one query", parse=whole_number(1), default=300)


def ready_timeout_flag() -> Any:
    """A bound for each server start, in seconds."""
    return flag("--ready-timeout", "S", "seconds for a server start", parse=whole_number(1), default=600)


def max_tokens_flag(default: int | None = DEFAULT_MAX_TOKENS) -> Any:
    """A bound for each answer; None leaves it to what `--config` says."""
    shown = str(DEFAULT_MAX_TOKENS)
    parse = whole_number(1, 10**8)
    return flag("--max-tokens", "N", "limit of one answer", parse=parse, default=default, shown=shown)


def temperature_flag() -> Any:
    """How the next token is drawn."""
    return flag("--temperature", "T", "sampling temperature", parse=real_number(0), default=0.0)


def allow_vocab_mismatch_flag() -> Any:
    """Whether a draft of other tokens is used."""
    return switch("--allow-vocab-mismatch", "go on although some tokens of a draft have other ids")


def seed_flag() -> Any:
    """The order of what is asked."""
    return flag("--seed", "N", "shuffles the order", parse=whole_number(-(2**62), 2**62), default=0)


def target_flag(parse: Parse = str) -> Any:
    """What a query's time is judged against."""
    return flag("--target", "TIME", "how long a query may take, e.g. 10s or 800ms", parse=parse, shown="10s")


def max_memory_flag(parse: Parse = str, shown: str = "what the machine recommends") -> Any:
    """What the server's memory is judged against."""
    text = "what the server's process may use, e.g. 32GB"
    return flag("--max-memory", "SIZE", text, parse=parse, shown=shown)
