"""Where spans may be sent: `--otlp`, the standard OTEL_EXPORTER_OTLP_* variables, Logfire."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from opentelemetry.util.re import parse_env_headers

from punie.trace.errors import UsageError
from punie.trace.urls import bare, split_url

_TRACES_PATH: Final = "/v1/traces"
_GRPC_PORT: Final = 4317


class Transport(StrEnum):
    """How OTLP travels; the values are those of OTEL_EXPORTER_OTLP_PROTOCOL."""

    HTTP = "http/protobuf"
    GRPC = "grpc"


class Encoding(StrEnum):
    """In which form OTLP travels over HTTP; the values are those of OTEL_EXPORTER_OTLP_PROTOCOL."""

    JSON = "http/json"
    PROTOBUF = "http/protobuf"


class Compression(StrEnum):
    """The values are those of OTEL_EXPORTER_OTLP_COMPRESSION."""

    NONE = "none"
    GZIP = "gzip"
    DEFLATE = "deflate"


class Origin(StrEnum):
    """Where a target comes from. Only `ENVIRONMENT` takes headers, TLS, time-out and compression from there."""

    FLAG = "--otlp"
    ENVIRONMENT = "OTEL_EXPORTER_OTLP_*"
    LOGFIRE = "LOGFIRE_TOKEN"
    FOUND = "found listening"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: trusted authorities, our certificate and its key; empty where the system's are meant."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver. `endpoint` is whole (`…/v1/traces` for HTTP); `headers` may hold secrets and are not shown.

    `timeout_s` is what one request may take; None if not given. `encodings` are tried in this order, over HTTP.
    `secure` says whether gRPC is encrypted; over HTTP the endpoint does.
    """

    origin: Origin
    transport: Transport
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float | None = None
    encodings: tuple[Encoding, ...] = (Encoding.JSON, Encoding.PROTOBUF)
    compression: Compression = Compression.NONE
    tls: TlsFiles = TlsFiles()
    secure: bool = False

    @property
    def name(self) -> str:
        """For reports: the address and where it comes from."""
        return f"{self.address} ({self.origin})"

    @property
    def address(self) -> str:
        """The endpoint without user, password and query."""
        if "://" not in self.endpoint:  # gRPC takes a bare host:port
            return self.endpoint.rpartition("@")[2]
        return bare(urlsplit(self.endpoint))

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: proxies are not for it."""
        host = urlsplit(self.endpoint if "://" in self.endpoint else f"//{self.endpoint}").hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def key(self) -> str:
        """What distinguishes it from other receivers, on disk too: no secret, but the digest of Logfire's token."""
        token = self.headers.get("Authorization")  # headers of the environment are in small letters
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
    parts = _parts(url, Origin.FLAG)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise UsageError(f"--otlp {url}: not an address", remedy="e.g. --otlp http://localhost:4318")
    if parts.scheme in ("grpc", "grpcs") or (parts.port == _GRPC_PORT and parts.path in ("", "/")):
        secure = parts.scheme in ("grpcs", "https")
        endpoint = f"{'https' if secure else 'http'}://{parts.netloc}"
        return Target(Origin.FLAG, Transport.GRPC, endpoint, secure=secure)
    return Target(Origin.FLAG, Transport.HTTP, _with_traces_path(url))


def _parts(url: str, named_by: str) -> SplitResult:
    """The parts of a URL. Raises `UsageError` for one whose host or port can't be read."""
    try:
        parts = split_url(url)
    except ValueError as error:
        raise UsageError(
            f"{named_by}: not an address: {error}", remedy="e.g. http://localhost:4318"
        ) from error
    return parts


def _environment_target(environ: Mapping[str, str]) -> tuple[Target, ...]:
    exporters = {name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()}
    signal_endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    base_endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if exporters and "otlp" not in exporters:
        return ()
    if not (signal_endpoint or base_endpoint or exporters):
        return ()
    transport, encodings = _environment_protocol(environ)
    if transport is Transport.GRPC:
        endpoint = signal_endpoint or base_endpoint or f"http://localhost:{_GRPC_PORT}"
        insecure = _setting(environ, "INSECURE").lower() == "true"
        secure = endpoint.startswith("https://") or ("://" not in endpoint and not insecure)
    else:
        base = (base_endpoint or "http://localhost:4318").rstrip("/")
        endpoint, secure = signal_endpoint or f"{base}{_TRACES_PATH}", False
    _parts(endpoint if "://" in endpoint else f"//{endpoint}", Origin.ENVIRONMENT)
    return (
        Target(
            Origin.ENVIRONMENT,
            transport,
            endpoint,
            headers=parse_env_headers(_setting(environ, "HEADERS"), liberal=True),
            timeout_s=_environment_timeout_s(environ),
            encodings=encodings,
            compression=_environment_compression(environ),
            tls=TlsFiles(
                *(
                    _setting(environ, name) or ""
                    for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
                )
            ),
            secure=secure,
        ),
    )


def _setting(environ: Mapping[str, str], name: str) -> str:
    """The variable for traces, else the one for all signals; empty if neither is set."""
    return environ.get(_set_by(environ, name), "")


def _set_by(environ: Mapping[str, str], name: str) -> str:
    """The variable that `_setting` reads."""
    for_traces = f"OTEL_EXPORTER_OTLP_TRACES_{name}"
    return for_traces if environ.get(for_traces) else f"OTEL_EXPORTER_OTLP_{name}"


def _environment_timeout_s(environ: Mapping[str, str]) -> float | None:
    """Seconds, as all of OpenTelemetry's Python exporters read it (the specification says milliseconds)."""
    text = _setting(environ, "TIMEOUT")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (0 < seconds < math.inf):
        raise UsageError(
            f"{_set_by(environ, 'TIMEOUT')}: {text} is no time", remedy="set it to seconds, e.g. 10"
        )
    return seconds


def _environment_protocol(environ: Mapping[str, str]) -> tuple[Transport, tuple[Encoding, ...]]:
    value = _setting(environ, "PROTOCOL")
    if not value:
        return Transport.HTTP, (Encoding.JSON, Encoding.PROTOBUF)
    if value == Transport.GRPC:
        return Transport.GRPC, ()
    try:
        return Transport.HTTP, (Encoding(value),)
    except ValueError:
        known = " or ".join((Transport.GRPC, *Encoding))
        raise UsageError(
            f"{_set_by(environ, 'PROTOCOL')}: {value} is not supported", remedy=f"set it to {known}"
        ) from None


def _environment_compression(environ: Mapping[str, str]) -> Compression:
    value = _setting(environ, "COMPRESSION")
    try:
        return Compression(value or Compression.NONE)
    except ValueError:
        raise UsageError(
            f"{_set_by(environ, 'COMPRESSION')}: {value} is not supported",
            remedy=f"set it to {' or '.join(Compression)}",
        ) from None


def _logfire_targets(environ: Mapping[str, str]) -> tuple[Target, ...]:
    if environ.get("LOGFIRE_SEND_TO_LOGFIRE", "").lower() in ("0", "false", "f"):
        return ()
    tokens = [token.strip() for token in environ.get("LOGFIRE_TOKEN", "").split(",") if token.strip()]
    return tuple(_logfire_target(token, environ.get("LOGFIRE_BASE_URL") or None) for token in tokens)


def _logfire_target(token: str, base_url: str | None) -> Target:
    from logfire import AdvancedOptions

    if base_url:
        _parts(base_url, "LOGFIRE_BASE_URL")
    # A token carries its region, and logfire knows the regions.
    base = AdvancedOptions(base_url=base_url).generate_base_url(token, warn_unknown_region=False)
    return Target(
        Origin.LOGFIRE, Transport.HTTP, base.rstrip("/") + _TRACES_PATH, headers={"Authorization": token}
    )


def _with_traces_path(url: str) -> str:
    return url.rstrip("/") + _TRACES_PATH if urlsplit(url).path in ("", "/") else url
