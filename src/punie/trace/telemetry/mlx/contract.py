"""What `mlx_lm.server` has to have, take and use for us to listen in it: looked at before, by `find_mismatches`.

`server.py` beside this replaces what is named here; no other module knows anything of mlx_lm's inside.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

Foreign = Any
"""A value of mlx_lm, which has no types."""

_PARAMETERS: Final = {
    "APIHandler.do_POST": ("self",),
    "APIHandler.send_response": ("self", "code", "message"),
    "ResponseGenerator.__init__": ("self", "model_provider", "prompt_cache"),
    "ResponseGenerator.generate": ("self", "request", "generation_args", "progress_callback"),
    "ResponseGenerator._tokenize": ("self", "tokenizer", "request", "args"),
    "ModelProvider.load": ("self", "model_path", "adapter_path", "draft_model_path"),
    "ToolCallFormatter.__call__": ("self", "tool_calls"),
    "BatchGenerator.next": ("self",),
    "stream_generate": ("model", "tokenizer", "prompt", "max_tokens", "draft_model", "stream", "kwargs"),
    "mx.get_peak_memory": None,  # built in: no signature to read
    "mx.get_active_memory": None,
    "mx.reset_peak_memory": None,
}

_FIELDS: Final = {
    "GenerationContext": ("prompt", "prompt_cache_count"),
    "GenerationArguments": ("model", "max_tokens", "num_draft_tokens", "chat_template_kwargs"),
    "CompletionRequest": ("request_type", "messages", "tools"),
    "ModelDescription": ("model",),
    "Response": ("token", "finish_reason"),
}

# A function may still be there and no longer be called: what its callers use counts too.
_USES: Final = {
    "APIHandler.handle_completion": ("generate", "ToolCallFormatter"),
    "APIHandler._set_completion_headers": ("send_response",),
    "APIHandler._set_stream_headers": ("send_response",),
    "ResponseGenerator.__init__": ("requests",),
    "ResponseGenerator.generate": ("requests", "put"),
    "ResponseGenerator._next_request": ("requests", "get", "get_nowait"),
    "ResponseGenerator._generate": ("load", "_tokenize", "BatchGenerator", "next", "put", "progress"),
    "ResponseGenerator._tokenize": (
        "has_chat_template",
        "apply_chat_template",
        "chat_template_args",
        "encode",
    ),
    "ResponseGenerator._serve_single": ("_tokenize", "stream_generate", "put"),
    "ModelProvider.load": ("model_key",),
}


def find_mismatches(server: ModuleType) -> tuple[str, ...]:
    """One line for each thing that `mlx_lm.server` no longer has, takes or uses; empty if all is as expected."""
    return (*_wrong_parameters(server), *_missing_fields(server), *_unused_names(server))


def _wrong_parameters(server: ModuleType) -> Iterator[str]:
    for name, expected in _PARAMETERS.items():
        function = _look_up(server, name)
        if not callable(function):
            yield f"{name} is missing"
        elif expected is not None and (actual := _parameters(function)) != expected:
            takes = "parameters that can't be read" if actual is None else f"({', '.join(actual)})"
            yield f"{name} takes {takes} instead of ({', '.join(expected)})"


def _parameters(function: Callable[..., Foreign]) -> tuple[str, ...] | None:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # what is compiled may have none
        return None


def _missing_fields(server: ModuleType) -> Iterator[str]:
    for name, expected in _FIELDS.items():
        type_ = _look_up(server, name)
        actual = (
            {field.name for field in dataclasses.fields(type_)} if dataclasses.is_dataclass(type_) else set()
        )
        yield from (f"{name} has no field {field}" for field in expected if field not in actual)


def _unused_names(server: ModuleType) -> Iterator[str]:
    for name, expected in _USES.items():
        code = getattr(_look_up(server, name), "__code__", None)
        used = code.co_names if code is not None else ()
        yield from (f"{name} doesn't use {wanted}" for wanted in expected if wanted not in used)


def _look_up(server: ModuleType, dotted: str) -> Foreign:
    value: Foreign = server
    for part in dotted.split("."):
        value = getattr(value, part, None)
    return value
