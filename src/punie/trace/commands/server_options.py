"""The server that a verb's options mean: checked before anything is started or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from punie.trace.errors import ConfigError, UsageError
from punie.trace.flags import allow_vocab_mismatch_flag, max_tokens_flag, ready_timeout_flag, temperature_flag
from punie.trace.options import choice, flag, path, real_number, switch, whole_number
from punie.trace.server.config import KEY_VARIABLE as KEY_VARIABLE
from punie.trace.server.config import ServerConfig

DEMO: Final = "demo"
ABOUT_ADAPTER: Final = "a LoRA adapter for the model (demo: one that makes the demo model wordy)"


def requested_model_flag() -> Any:  # noqa: ANN401 - a field, as of `flag`
    """The field of `--model` where a server is started or attached to."""
    return flag(
        "--model", "PATH", "a folder, or ORG/NAME; with --base-url its name there", shown="the demo model"
    )


def base_url_flag() -> Any:  # noqa: ANN401 - as above
    """The field of `--base-url`."""
    return flag("--base-url", "URL", "attach to an OpenAI-compatible server instead of starting one")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What server to start. Times are seconds."""

    model: str | None = flag(
        "--model", "PATH", "an mlx_lm model: a folder, or ORG/NAME", shown="the demo model"
    )
    adapter: Path | None = flag(
        "--adapter",
        "PATH",
        ABOUT_ADAPTER,
        parse=path,
    )
    draft: str | None = flag(
        "--draft", "PATH", "a draft model for speculative decoding (demo: the demo model's)"
    )
    allow_vocab_mismatch: bool = allow_vocab_mismatch_flag()
    num_draft_tokens: int | None = flag(
        "--num-draft-tokens", "K", "tokens drafted a step", parse=whole_number(1), shown="the server's"
    )
    max_tokens: int = max_tokens_flag()
    temperature: float = temperature_flag()
    top_p: float | None = flag(
        "--top-p", "P", "nucleus sampling", parse=real_number(0, 1), shown="the server's"
    )
    cache: str = choice("--cache", ("server", "off"), "the server's prompt cache", default="server")
    host: str = flag("--host", "HOST", "a loopback address", default="127.0.0.1")
    port: int = flag("--port", "PORT", "0 takes a free one", parse=whole_number(0, 65535), default=0)
    plain_server: bool = switch("--plain-server", "without spans from inside the server")
    ready_timeout: int = ready_timeout_flag()


# Which flag sets a field of ServerConfig, for its errors.
_FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_key": "--api-key-env",
        "base_url": "--base-url",
        "model": "--model",
        "draft_model": "--draft",
        "adapter_path": "--adapter",
        "num_draft_tokens": "--num-draft-tokens",
        "top_p": "--top-p",
        "host": "--host",
        "port": "--port",
    }
)


def adapter_folder(adapter: Path | None) -> Path | None:
    """What `--adapter` means."""
    from punie.trace.demo.paths import wordy_adapter_path

    return wordy_adapter_path() if adapter == Path(DEMO) else adapter


def server_config(options: ServerOptions) -> ServerConfig:
    """Raises UsageError that names the flag."""
    from punie.trace.demo.paths import draft_model_path, target_model_path

    if options.num_draft_tokens is not None and options.draft is None:
        raise UsageError("--num-draft-tokens: there is no draft model", remedy="add --draft PATH")
    draft = draft_model_path() if options.draft == DEMO else options.draft
    with naming_flags():
        return ServerConfig(
            model=options.model or target_model_path(),
            host=options.host,
            port=options.port,
            adapter_path=adapter_folder(options.adapter),
            temperature=options.temperature,
            top_p=options.top_p,
            max_tokens=options.max_tokens,
            draft_model=draft,
            num_draft_tokens=options.num_draft_tokens,
            prompt_cache_size=0 if options.cache == "off" else None,
        )


@contextmanager
def naming_flags() -> Iterator[None]:
    """An error about a field of a ServerConfig becomes one about the flag that the user typed."""
    try:
        yield
    except ConfigError as error:
        flag_name = _FLAGS.get(error.field, error.field)
        message = error.message.removeprefix(f"{error.field}: ")
        raise UsageError(f"{flag_name}: {message}", remedy=error.remedy) from error


def check_draft(config: ServerConfig, *, allow_vocab_mismatch: bool) -> Iterator[str]:
    """What to say of the draft before the server is started. Raises VocabularyError if its tokens are others."""
    if config.draft_model is None:
        return
    from punie.trace.serving.vocabulary import compare_vocabularies

    if note := compare_vocabularies(config.model, config.draft_model, allow=allow_vocab_mismatch):
        yield note
    if config.prompt_cache_size != 0:
        yield (
            "a draft model with the prompt cache on: mlx_lm 0.32 loses a token of the context when it takes tokens "
            "from the cache; add --cache off"
        )
