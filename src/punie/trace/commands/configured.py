"""`--config FILE`: settings of a file under the flags, which win; what no flag sets is handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from punie.trace.options import flag

if TYPE_CHECKING:
    from punie.trace.analysis.experiment.configuration import Configuration

T = TypeVar("T")

_Read = Callable[[Any], Any]


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def _negated(value: object) -> bool:
    return not value


def _same(value: object) -> object:
    return value


def _text(value: object) -> str:
    return str(value)


# Table and field of the file, the field of a verb's options, and how the one becomes the other.
_FIELDS: Final[tuple[tuple[str, str, str, _Read], ...]] = (
    ("server", "model", "model", _same),
    ("server", "base_url", "base_url", _same),
    ("server", "api_key_env", "api_key_env", _same),
    ("server", "adapter", "adapter", _path),
    ("server", "draft", "draft", _same),
    ("server", "prompt_cache", "cache", _text),
    ("request", "max_tokens", "max_tokens", _same),
    ("request", "temperature", "temperature", _same),
    ("request", "top_p", "top_p", _same),
    ("request", "num_draft_tokens", "num_draft_tokens", _same),
    ("agent", "agent", "agent", _same),
    ("agent", "workspace", "workspace", _path),
    ("agent", "stream", "no_stream", _negated),
)


def config_flag() -> Any:  # noqa: ANN401 - a field, as of `flag`
    """The field of `--config`."""
    return flag(
        "--config",
        "FILE",
        "settings, as `improve` and `train` write them; flags win",
        parse=Path,
        default=None,
    )


def read_config(path: Path | None) -> Configuration:
    """The file's settings; nothing without a file. Raises InputError."""
    from punie.trace.analysis.experiment.configuration import Configuration
    from punie.trace.store.configuration import read_configuration

    return read_configuration(path) if path else Configuration()


def with_config(options: T, configuration: Configuration, given: frozenset[str]) -> T:
    """`options` with what the file names and no flag set; groups of options included."""
    named = {
        option: read(getattr(getattr(configuration, table), name))
        for table, name, option, read in _FIELDS
        if (table, name) in configuration.named and option not in given
    }
    return _with(options, named)


def named_options(configuration: Configuration) -> frozenset[str]:
    """The options that the file sets, by the names of their fields."""
    return frozenset(option for table, name, option, _ in _FIELDS if (table, name) in configuration.named)


def _with(options: T, named: Mapping[str, Any]) -> T:
    changes: dict[str, Any] = {}
    for item in fields(options):  # type: ignore[arg-type] # a dataclass of options
        value = getattr(options, item.name)
        if is_dataclass(value):
            changes[item.name] = _with(value, named)
        elif item.name in named:
            changes[item.name] = named[item.name]
    return replace(options, **changes)  # type: ignore[type-var]
