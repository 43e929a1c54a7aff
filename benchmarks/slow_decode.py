"""A launcher hook for `compare_rates.py`: the traced server, in which every token but the first takes longer.

The wait is a share of what the token took, spent awake (a sleep of less than a millisecond overshoots) and without
holding the interpreter. mlx_lm has launched the next token when it gives one, and that one would be computed during the
wait: so it is waited for first, also with a share of 0, which is what to compare with. Nothing else of the server
changes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from punie.trace.telemetry.mlx.hook import install as install_spans

HOOK = f"{__name__}:install"
SHARE_VARIABLE = "PUNIE_TRACE_SLOWER_DECODE"
"""The environment variable with the share that is added, 0.15 for 15 % more."""


def install(cleanup: ExitStack) -> None:
    """Spans as always, and slower tokens in the batch path."""
    import mlx.core
    from mlx_lm import server

    install_spans(cleanup)
    share = float(os.environ[SHARE_VARIABLE])
    batch: Any = vars(server)["BatchGenerator"]
    batch.next = slower(batch.next, share, lambda generator: mlx.core.synchronize(generator.stream))


def slower(step: Callable[[Any], Any], share: float, finish: Callable[[Any], object]) -> Callable[[Any], Any]:
    """`step` of a batch, `share` longer whenever it and the step before it gave tokens, the next token `finish`ed."""
    last_ns = 0  # when the step before gave its token; 0: it gave none

    @wraps(step)
    def slowed(batch: Any) -> Any:  # noqa: ANN401 # mlx_lm has no types
        nonlocal last_ns
        prompts, tokens = step(batch)
        finish(batch)
        now_ns = time.perf_counter_ns()
        if tokens and last_ns:
            until_ns = now_ns + round((now_ns - last_ns) * share)
            while time.perf_counter_ns() < until_ns:
                time.sleep(0)
        ended = all(token.finish_reason is not None for token in tokens)
        last_ns = 0 if ended else time.perf_counter_ns()
        return prompts, tokens

    return slowed
