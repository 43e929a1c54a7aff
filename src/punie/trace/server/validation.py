"""The checks of `ServerConfig`: each of a field raises `ConfigError` with its name."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from punie.trace.errors import ConfigError, ServerError

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

# mlx_lm.server passes these to apply_chat_template itself: a second value is a TypeError in every request.
_SERVERS_OWN_TEMPLATE_ARGS: Final = frozenset({"tools", "tokenize", "add_generation_prompt"})

_WITHOUT_MLX: Final = (
    "MLX exists for macOS on Apple silicon and for Linux: there, reinstall punie-trace. Elsewhere attach to a server "
    "that runs with --base-url."
)


def check_mlx_lm() -> None:
    """Raise ServerError if there is no mlx_lm here, before anything is made for a server of ours."""
    if find_spec("mlx_lm") is None:
        raise ServerError(
            "mlx-lm, which the model server is part of, isn't installed here", remedy=_WITHOUT_MLX
        )


def check_whole(name: str, value: object, *, lowest: int, highest: int | None = None) -> None:
    """A whole number in the range, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(name, f"needs a whole number, not {value!r}")
    _check_range(name, value, lowest, highest)


def check_real(name: str, value: object, *, lowest: float, highest: float | None = None) -> None:
    """A finite number in the range, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(name, f"needs a finite number, not {value!r}")
    _check_range(name, value, lowest, highest)


def _check_range(name: str, value: float, lowest: float, highest: float | None) -> None:
    if value < lowest or (highest is not None and value > highest):
        limits = f"at least {lowest}" if highest is None else f"between {lowest} and {highest}"
        raise ConfigError(name, f"must be {limits}, not {value}")


def check_host(host: object, *, allow_remote_clients: bool) -> None:
    """An address of this machine that only this machine reaches, unless others are asked in."""
    if not isinstance(host, str) or not host or any(sign in host for sign in " /"):
        raise ConfigError("host", f"needs an address or a host name, not {host!r}")
    if not allow_remote_clients and not is_loopback(host):
        raise ConfigError(
            "host",
            f"{host} can be reached from other machines, and the server asks nobody for a password",
            remedy="Use 127.0.0.1, or set allow_remote_clients.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def model_reference(name: str, value: object) -> Path | str:
    """The absolute path of a model folder, or the name of a repository as it is."""
    if not isinstance(value, Path | str) or not str(value).strip():
        raise ConfigError(name, f"needs a folder or a repository's name, not {value!r}")
    path = Path(value).expanduser()
    if isinstance(value, str) and not path.exists() and _REPOSITORY.fullmatch(value):
        return value
    _check_folder(name, path, "config.json", remedy="Give the folder of an MLX model, or ORG/NAME.")
    return path.absolute()


def adapter_folder(value: object) -> Path:
    """The absolute path of an adapter's folder."""
    if not isinstance(value, Path | str) or not str(value).strip():
        raise ConfigError("adapter_path", f"needs a folder, not {value!r}")
    path = Path(value).expanduser()
    for file in ("adapter_config.json", "adapters.safetensors"):
        _check_folder("adapter_path", path, file, remedy="Give the folder that mlx_lm.lora wrote.")
    return path.absolute()


def _check_folder(name: str, path: Path, file: str, *, remedy: str) -> None:
    if not path.is_dir():
        raise ConfigError(name, f"there is no folder {path}", remedy=remedy)
    if not (path / file).is_file():
        raise ConfigError(name, f"there is no {file} in {path}", remedy=remedy)


def check_template_args(arguments: object) -> None:
    """A mapping that JSON can carry, without the names that the server passes itself."""
    name = "chat_template_args"
    if not isinstance(arguments, Mapping) or not all(isinstance(key, str) for key in arguments):
        raise ConfigError(name, f"needs names with values, not {arguments!r}")
    if taken := sorted(_SERVERS_OWN_TEMPLATE_ARGS & arguments.keys()):
        raise ConfigError(name, f"the server sets {', '.join(taken)} itself")
    try:
        json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(name, f"can't be written as JSON: {error}") from error


def stop_sequences(value: object) -> tuple[str, ...]:
    """The texts as a tuple; one bare string is refused, because it is a sequence of its characters."""
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise ConfigError("stop", f"needs a list of texts, not {value!r}")
    for text in value:
        if not isinstance(text, str) or not text:
            raise ConfigError("stop", f"needs texts that aren't empty, not {text!r}")
    return tuple(value)
