"""What each word and figure of a report means: one dictionary for the page and for the terminal.

Keys are words as tables and charts show them: phases, groups, headings of columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GLOSSARY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "generation": "The model at work: prefill and decode, or model where the two can't be separated.",
        "gen": "Share of the query's wall time in which the model was at work.",
        "decode": "The model writes its answer, token by token, from the first token to the last.",
        "prefill": "The model reads the part of the prompt that its cache doesn't hold, up to the first token.",
        "model": "The model is at work; reading the prompt and writing the answer aren't measured apart.",
        "server": "The model server around the model: queue, template, serve.",
        "queue": "A request waits in the server for its turn.",
        "template": "The server turns messages and tools into the prompt's tokens.",
        "serve": "The server's other work on a request.",
        "framework": "The agent's own code: no model, tool, request or parser is at work.",
        "parse": "An answer or a tool call is read and checked.",
        "network": "Between agent and server: http and retry.",
        "http": "The time of a request that no span of the server covers: sending, waiting, receiving.",
        "retry": "A model call that failed, and the pause before the next attempt.",
        "tool": "A tool that the model called is at work.",
        "wall time": "From the query's start to its end by the clock. The parts above sum to it, to the nanosecond.",
        "wall": "From the query's start to its end, by the clock.",
        "share": "Part of the wall time.",
        "contested": "Time in which another group was at work as well. It is counted once, for the group named first; "
        "a verdict has to hold whichever of them it belongs to.",
        "known from": "server: spans made inside the server. client: spans of the agent. stream: read off the "
        "response as it came. body: timings in the response. inferred: request sent to last byte.",
        "on path": "What the query waited for: shortening it shortens the query.",
        "at work": "How long these spans were at work themselves, on the critical path or beside it.",
        "cached": "Prompt tokens that the server took from its cache and didn't read again.",
        "misses": "Requests whose prompt started like an earlier one's and was read again all the same.",
        "95 % interval": "Made so that it holds the true value in 95 of 100 such measurements; more evidence makes it "
        "narrower.",
        "p95": "19 of 20 are at most this. Not shown of fewer than 20.",
        "p99": "99 of 100 are at most this. Not shown of fewer than 100.",
        "time to first chunk": "From sending the request to the first piece of the response.",
        "first token": "From sending the request to the first piece of the response.",
        "time per output token": "Decode time divided by the tokens written.",
        "counted": "Executions in the averages: right, undisturbed, and no repeat from a warm prompt cache.",
        "score": "ok: the answer is right by strict rules. failed: it isn't. error: the query ended early.",
        "turns": "Model calls of the query.",
        "B - A": "The difference of the means, a query. Above zero, B is slower.",
        "B / A": "What B takes more or less, of A.",
        "p": "How often chance alone gives a difference as large; for groups and phases, in any of them.",
        "right ≥": "At least this share of such answers is right, at 95 % confidence.",
        "worse ≤": "At most this share of such answers got worse, at 95 % confidence.",
        "accepted": "Drafted tokens that the model would have written itself.",
        "drafted": "Tokens that the draft model proposed.",
        "lossless": "Whether the arm wrote the very tokens that the baseline writes.",
        "vs sequential": "Speed-up against requests one at a time, the path that drafts use.",
    }
)


def meaning(word: str) -> str | None:
    """What a word means; None if nothing explains it."""
    return GLOSSARY.get(word.strip())
