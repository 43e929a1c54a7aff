"""The URL of a source that is asked over the network: `SCHEME://USER:PASSWORD@HOST:PORT/PATH?name=value&…`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NoReturn
from urllib.parse import parse_qsl, unquote

from punie.trace.errors import InputError
from punie.trace.urls import split_url, without_password

_SECONDS: Final = MappingProxyType({"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800})


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """Its parts. `shown` is the URL without its password, `example` one that works, for errors."""

    shown: str
    host: str
    port: int | None
    user: str
    password: str | None = field(repr=False)
    path: str
    parameters: Mapping[str, str]
    example: str

    def duration_ns(self, name: str, default: str) -> int:
        """A parameter such as `2h`, in nanoseconds. Raises `InputError` that names it."""
        text = self.parameters.get(name, default)
        match = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", text)
        if match is None:
            self.refuse(f"{name}={text}: no number with a unit of {', '.join(_SECONDS)}")
        return int(match[1]) * _SECONDS[match[2]] * 10**9

    def count(self, name: str, default: int) -> int:
        """A parameter such as `100`. Raises `InputError` that names it."""
        text = self.parameters.get(name, str(default))
        if re.fullmatch(r"[1-9][0-9]{0,8}", text) is None:
            self.refuse(f"{name}={text}: no whole number above 0")
        return int(text)

    def refuse(self, why: str) -> NoReturn:
        """Raises `InputError` that names the URL and an example."""
        raise InputError(f"{self.shown}: {why}", remedy=f"for example {self.example}")


def parse_source_url(url: str, known: tuple[str, ...], example: str) -> SourceUrl:
    """The parts of `url`, whose parameters are among `known`. Raises `InputError` that names what is wrong."""
    shown, remedy = without_password(url), f"for example {example}"
    try:
        parts = split_url(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{shown}: names no host and port: {error}", remedy=remedy) from error
    if not host:
        raise InputError(f"{shown}: names no host", remedy=remedy)
    if port == 0:
        raise InputError(f"{shown}: nothing answers at port 0", remedy=remedy)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    found = SourceUrl(
        shown=shown,
        host=host,
        port=port,
        user=unquote(parts.username or ""),
        password=None if parts.password is None else unquote(parts.password),
        path=parts.path,
        parameters=MappingProxyType(given),
        example=example,
    )
    unknown = sorted(given.keys() - set(known))
    if unknown:
        found.refuse(f"unknown parameter {unknown[0]!r}: known are {', '.join(known)}")
    return found
