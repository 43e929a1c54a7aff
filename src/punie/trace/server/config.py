"""What server to start: one frozen value, refused early where it can't work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from punie.trace.errors import ConfigError
from punie.trace.server import validation

DEFAULT_MODEL = "default_model"
"""The name that stands for the server's own `--model`.

Naming the path instead makes mlx_lm.server load the model again, without its adapter.
"""
KEY_VARIABLE = "OPENAI_API_KEY"
"""Where the key of a running server is looked for, unless another variable is named."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """An `mlx_lm.server` to start. None leaves a setting to the server's own default.

    Every field goes onto the command line, except `stop`: the server knows stop sequences only per request, so
    they are in `request_defaults()`, which a client has to send with each request. A request that sets
    `temperature`, `top_p`, `max_tokens` or `num_draft_tokens` itself overrides the field of that name.

    model: a folder with `config.json` and weights, or the name of a Hugging Face repository (`org/name`; the
        server downloads it if its cache hasn't got it). Paths become absolute.
    host: a loopback address, unless `allow_remote_clients`: the server asks nobody for a password.
    port: 0 takes a free one at each start.
    adapter_path: a folder with `adapter_config.json` and `adapters.safetensors`.
    temperature: 0 or more; 0 takes the likeliest token.
    top_p: above 0, at most 1.
    max_tokens: tokens of an answer, 1 or more (the server's default, 512, cuts long answers).
    chat_template_args: arguments for the chat template, as JSON allows them.
    stop: texts at which an answer ends, none of them empty.
    draft_model: as `model`; it has to share the tokenizer.
    num_draft_tokens: tokens that the draft proposes in a step, 1 or more, only with `draft_model`.
    prefill_step_size: tokens of a prompt that are read at a time, 1 or more.
    prompt_cache_size: prompts whose key-value state is kept; 0 turns the prompt cache off.

    Raises `ConfigError` with the field's name.
    """

    model: Path | str
    host: str = "127.0.0.1"
    port: int = 0
    adapter_path: Path | str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    chat_template_args: Mapping[str, object] = field(default_factory=dict)
    stop: Sequence[str] = ()
    draft_model: Path | str | None = None
    num_draft_tokens: int | None = None
    prompt_cache_size: int | None = None
    prefill_step_size: int | None = None
    allow_remote_clients: bool = False

    def __post_init__(self) -> None:
        validation.check_mlx_lm()
        self._check_numbers()
        validation.check_host(self.host, allow_remote_clients=self.allow_remote_clients)
        if self.num_draft_tokens is not None and self.draft_model is None:
            raise ConfigError(
                "num_draft_tokens", "there is no draft model", remedy="Set draft_model as well."
            )
        set_field = object.__setattr__  # how a frozen dataclass normalises its own fields
        set_field(self, "model", validation.model_reference("model", self.model))
        if self.draft_model is not None:
            set_field(self, "draft_model", validation.model_reference("draft_model", self.draft_model))
        if self.adapter_path is not None:
            set_field(self, "adapter_path", validation.adapter_folder(self.adapter_path))
        validation.check_template_args(self.chat_template_args)
        set_field(self, "chat_template_args", MappingProxyType(dict(self.chat_template_args)))
        set_field(self, "stop", validation.stop_sequences(self.stop))

    def _check_numbers(self) -> None:
        validation.check_whole("port", self.port, lowest=0, highest=65535)
        validation.check_whole("max_tokens", self.max_tokens, lowest=1)
        validation.check_whole("num_draft_tokens", self.num_draft_tokens, lowest=1)
        validation.check_whole("prompt_cache_size", self.prompt_cache_size, lowest=0)
        validation.check_whole("prefill_step_size", self.prefill_step_size, lowest=1)
        validation.check_real("temperature", self.temperature, lowest=0)
        validation.check_real("top_p", self.top_p, lowest=0, highest=1)
        if self.top_p == 0:
            raise ConfigError("top_p", "the server reads 0 as no limit", remedy="Use 1, or temperature 0.")

    def request_defaults(self) -> dict[str, object]:
        """What each request's body must carry, because the command line can't say it."""
        return {"stop": list(self.stop)} if self.stop else {}
