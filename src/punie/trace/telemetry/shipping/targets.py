"""Where spans may be sent: `--otlp`, the standard OTEL_EXPORTER_OTLP_* variables, Logfire."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from punie.trace.errors import UsageError

_TRACES_PATH: Final = "/v1/traces"
_GRPC_PORT: Final = 4317


class Transport(StrEnum):
    """How OTLP travels; the values are those of OTEL_EXPORTER_OTLP_PROTOCOL."""

    HTTP = "http/protobuf"
    GRPC = "grpc"


class Origin(StrEnum):
    """Who asked for a target. Only `ENVIRONMENT` takes headers, TLS, time-out and compression from there."""

    FLAG = "--otlp"
    ENVIRONMENT = "OTEL_EXPORTER_OTLP_*"
    LOGFIRE = "LOGFIRE_TOKEN"
    FOUND = "found listening"


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver. `endpoint` is whole (`…/v1/traces` for HTTP); `headers` may hold secrets and are not shown.

    `timeout_s` is what one export may take, with its retries; None if nobody said.
    """

    origin: Origin
    transport: Transport
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float | None = None

    @property
    def name(self) -> str:
        """For reports: the address and who asked for it."""
        return f"{self.address} ({self.origin})"

    @property
    def address(self) -> str:
        """The endpoint without user, password and query."""
        if "://" not in self.endpoint:  # gRPC takes a bare host:port
            return self.endpoint
        parts = urlsplit(self.endpoint)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"

    @property
    def key(self) -> str:
        """What tells it from other receivers, on disk too: no secret, but a token's digest."""
        token = self.headers.get("Authorization")
        account = f" {hashlib.sha256(token.encode()).hexdigest()[:12]}" if token else ""
        return f"{self.transport} {self.address}{account}"


def find_targets(otlp_url: str | None, environ: Mapping[str, str]) -> tuple[Target, ...]:
    """Every receiver that the user named, `--otlp` first. Raises `UsageError` for one that can't work."""
    flag = (flag_target(otlp_url),) if otlp_url else ()
    return (*flag, *_environment_target(environ), *_logfire_targets(environ))


def refuses_export(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables say that traces go nowhere, or not by OTLP: then nobody is looked for."""
    exporters = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or (bool(exporters) and "otlp" not in exporters)


def flag_target(url: str) -> Target:
    """The receiver of `--otlp URL`: gRPC for `grpc://…`, `grpcs://…` and port 4317, else HTTP.

    Raises `UsageError` if it is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise UsageError(f"--otlp {url}: not an address", remedy="e.g. --otlp http://localhost:4318")
    if parts.scheme in ("grpc", "grpcs") or (parts.port == _GRPC_PORT and parts.path in ("", "/")):
        scheme = "https" if parts.scheme in ("grpcs", "https") else "http"
        return Target(Origin.FLAG, Transport.GRPC, f"{scheme}://{parts.netloc}")
    return Target(Origin.FLAG, Transport.HTTP, _with_traces_path(url))


def _environment_target(environ: Mapping[str, str]) -> tuple[Target, ...]:
    exporters = {name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()}
    signal_endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    base_endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if exporters and "otlp" not in exporters:
        return ()
    if not (signal_endpoint or base_endpoint or exporters):
        return ()
    timeout_s = _environment_timeout_s(environ)
    if _environment_transport(environ) is Transport.GRPC:
        grpc_endpoint = signal_endpoint or base_endpoint or f"http://localhost:{_GRPC_PORT}"
        return (Target(Origin.ENVIRONMENT, Transport.GRPC, grpc_endpoint, timeout_s=timeout_s),)
    base = (base_endpoint or "http://localhost:4318").rstrip("/")
    endpoint = signal_endpoint or f"{base}{_TRACES_PATH}"
    return (Target(Origin.ENVIRONMENT, Transport.HTTP, endpoint, timeout_s=timeout_s),)


def _environment_timeout_s(environ: Mapping[str, str]) -> float | None:
    """Seconds, as all of OpenTelemetry's Python exporters read it (the specification says milliseconds)."""
    for name in ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"):
        text = environ.get(name)
        if not text:
            continue
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not (0 < seconds < math.inf):
            raise UsageError(f"{name}: {text} is no time", remedy="set it to seconds, e.g. 10")
        return seconds
    return None


def _environment_transport(environ: Mapping[str, str]) -> Transport:
    name = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
    if not environ.get(name):
        name = "OTEL_EXPORTER_OTLP_PROTOCOL"
    value = environ.get(name) or Transport.HTTP.value
    try:
        return Transport(value)
    except ValueError:
        known = " or ".join(transport.value for transport in Transport)
        raise UsageError(f"{name}: {value} is not supported", remedy=f"set it to {known}") from None


def _logfire_targets(environ: Mapping[str, str]) -> tuple[Target, ...]:
    if environ.get("LOGFIRE_SEND_TO_LOGFIRE", "").lower() in ("0", "false", "f"):
        return ()
    tokens = [token.strip() for token in environ.get("LOGFIRE_TOKEN", "").split(",") if token.strip()]
    return tuple(_logfire_target(token, environ.get("LOGFIRE_BASE_URL") or None) for token in tokens)


def _logfire_target(token: str, base_url: str | None) -> Target:
    from logfire import AdvancedOptions

    # A token carries its region, and logfire knows the regions.
    base = AdvancedOptions(base_url=base_url).generate_base_url(token, warn_unknown_region=False)
    return Target(
        Origin.LOGFIRE, Transport.HTTP, base.rstrip("/") + _TRACES_PATH, headers={"Authorization": token}
    )


def _with_traces_path(url: str) -> str:
    return url.rstrip("/") + _TRACES_PATH if urlsplit(url).path in ("", "/") else url
