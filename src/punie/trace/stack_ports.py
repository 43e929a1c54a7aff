"""The ports of the local stack, as `docker-compose.yml` publishes them: each can be set by a variable of that name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from punie.trace.errors import UsageError

_HIGHEST: Final = 65_535


class StackPort(StrEnum):
    """The variables, for Compose (also from `.env`) and for us (from the environment)."""

    OTLP_HTTP = "OTLP_HTTP_PORT"
    OTLP_GRPC = "OTLP_GRPC_PORT"
    JAEGER = "JAEGER_PORT"
    PROMETHEUS = "PROMETHEUS_PORT"
    GRAFANA = "GRAFANA_PORT"


DEFAULTS: Final[Mapping[StackPort, int]] = MappingProxyType(
    {
        StackPort.OTLP_HTTP: 4318,
        StackPort.OTLP_GRPC: 4317,
        StackPort.JAEGER: 16686,
        StackPort.PROMETHEUS: 9090,
        StackPort.GRAFANA: 3000,
    }
)


def stack_port(name: StackPort, environment: Mapping[str, str] = os.environ) -> int:
    """The port that `name` sets, else the usual one. Raises UsageError for what is no port."""
    text = environment.get(name.value, "").strip()
    if not text:
        return DEFAULTS[name]
    if text.isascii() and text.isdecimal() and 0 < int(text[:6]) <= _HIGHEST:
        return int(text)
    raise UsageError(f"{name.value}={text[:40]}: no port", remedy=f"export {name.value}={DEFAULTS[name]}")
