"""Who is sent to: the flag, the standard variables, Logfire."""

from __future__ import annotations

import pytest

from punie.trace.errors import UsageError
from punie.trace.telemetry.shipping.targets import (
    Compression,
    Encoding,
    Origin,
    Target,
    TlsFiles,
    Transport,
    find_targets,
    flag_target,
    refuses_export,
)

US_TOKEN = "pylf_v1_us_0123456789"  # noqa: S105 # the shape of one, no secret
EU_TOKEN = "pylf_v1_eu_0123456789"  # noqa: S105 # as above


@pytest.mark.parametrize(
    ("url", "transport", "endpoint"),
    [
        ("http://localhost:4318", Transport.HTTP, "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", Transport.HTTP, "http://localhost:4318/v1/traces"),
        ("https://host/otlp/v1/traces", Transport.HTTP, "https://host/otlp/v1/traces"),
        ("http://localhost:4317", Transport.GRPC, "http://localhost:4317"),
        ("grpc://collector:9", Transport.GRPC, "http://collector:9"),
        ("grpcs://collector:9", Transport.GRPC, "https://collector:9"),
    ],
)
def test_the_flag(url: str, transport: Transport, endpoint: str) -> None:
    secure = endpoint.startswith("https") and transport is Transport.GRPC
    assert flag_target(url) == Target(Origin.FLAG, transport, endpoint, secure=secure)


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://host", "http://", "nonsense"])
def test_a_flag_that_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="--otlp"):
        flag_target(url)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ()),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/"}, ((Transport.HTTP, "http://c:1/v1/traces"),)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/x"}, ((Transport.HTTP, "http://c:1/x"),)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ((Transport.HTTP, "http://localhost:4318/v1/traces"),)),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            ((Transport.GRPC, "http://c:1"),),
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            },
            ((Transport.GRPC, "http://c:1"),),
        ),
    ],
)
def test_the_standard_variables(environ: dict[str, str], expected: tuple[tuple[Transport, str], ...]) -> None:
    found = find_targets(None, environ)
    assert tuple((target.transport, target.endpoint) for target in found) == expected
    assert all(target.origin is Origin.ENVIRONMENT for target in found)


def test_a_bare_grpc_address_is_named_as_it_is() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    (target,) = find_targets(None, environ)
    assert target.name == "collector:4317 (OTEL_EXPORTER_OTLP_*)"


def test_a_protocol_that_is_not_supported_is_named() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/xml"}
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_PROTOCOL: http/xml"):
        find_targets(None, environ)


def test_logfire_by_its_token_and_region() -> None:
    us, eu = find_targets(None, {"LOGFIRE_TOKEN": f"{US_TOKEN},{EU_TOKEN}"})
    assert us.endpoint == "https://logfire-us.pydantic.dev/v1/traces"
    assert eu.endpoint == "https://logfire-eu.pydantic.dev/v1/traces"
    assert us.headers == {"Authorization": US_TOKEN}
    assert US_TOKEN not in repr(us)
    (own,) = find_targets(None, {"LOGFIRE_TOKEN": US_TOKEN, "LOGFIRE_BASE_URL": "http://localhost:8"})
    assert own.endpoint == "http://localhost:8/v1/traces"
    assert find_targets(None, {"LOGFIRE_TOKEN": US_TOKEN, "LOGFIRE_SEND_TO_LOGFIRE": "false"}) == ()


def test_all_at_once_in_order_and_no_secret_in_a_name() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:pass@c:1?key=k", "LOGFIRE_TOKEN": US_TOKEN}
    found = find_targets("http://localhost:4318", environ)
    assert [target.origin for target in found] == [Origin.FLAG, Origin.ENVIRONMENT, Origin.LOGFIRE]
    assert "pass" not in found[1].name
    assert US_TOKEN not in found[2].name


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_time_of_an_export_comes_from_the_environment(protocol: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    general = environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "30"}
    special = general | {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2.5"}
    assert [find_targets(None, each)[0].timeout_s for each in (environ, general, special)] == [None, 30, 2.5]
    assert find_targets("http://localhost:4318", general)[0].timeout_s is None  # meant for another address


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_named(value: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_TIMEOUT": value}
    with pytest.raises(UsageError, match=f"OTEL_EXPORTER_OTLP_TIMEOUT: {value}"):
        find_targets(None, environ)


def test_a_key_tells_accounts_apart_and_no_secret() -> None:
    one, other = find_targets(None, {"LOGFIRE_TOKEN": f"{US_TOKEN},{US_TOKEN}x"})
    assert one.key != other.key
    assert US_TOKEN not in one.key
    plain = flag_target("http://user:pass@host:4318/v1/traces?key=k").key
    assert plain == "http/protobuf http://host:4318/v1/traces"


@pytest.mark.parametrize(
    ("environ", "refused"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_SDK_DISABLED": "true"}, True),
        ({"OTEL_SDK_DISABLED": "false"}, False),
    ],
)
def test_the_environment_may_forbid_looking_for_a_collector(
    environ: dict[str, str], *, refused: bool
) -> None:
    assert refuses_export(environ) is refused


@pytest.mark.parametrize(
    ("value", "encodings"),
    [
        ("http/json", (Encoding.JSON,)),
        ("http/protobuf", (Encoding.PROTOBUF,)),
        ("", (Encoding.JSON, Encoding.PROTOBUF)),
    ],
)
def test_an_encoding_that_was_asked_for_is_the_only_one(value: str, encodings: tuple[Encoding, ...]) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": value}
    (target,) = find_targets(None, environ)
    assert (target.transport, target.encodings) == (Transport.HTTP, encodings)


def test_everything_that_the_environment_says_of_its_own_receiver() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20b,other=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-key=for%20traces",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "deflate",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/me.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/me.key",
    }
    found, flag = find_targets(None, environ)[0], find_targets("http://c:2", environ)[0]
    assert (dict(found.headers), found.compression) == ({"x-key": "for traces"}, Compression.DEFLATE)
    assert found.tls == TlsFiles("/ca.pem", "/me.pem", "/me.key")
    assert (flag.headers, flag.compression, flag.tls) == ({}, Compression.NONE, TlsFiles())


def test_a_compression_that_is_none_is_named() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_COMPRESSION: zip is not supported"):
        find_targets(None, environ)


@pytest.mark.parametrize(
    ("endpoint", "insecure", "secure"),
    [("c:1", "", True), ("c:1", "true", False), ("http://c:1", "", False), ("https://c:1", "true", True)],
)
def test_grpc_is_encrypted_as_the_exporters_have_it(endpoint: str, insecure: str, *, secure: bool) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_INSECURE": insecure,
    }
    assert find_targets(None, environ)[0].secure is secure


@pytest.mark.parametrize(
    ("endpoint", "loopback"),
    [("http://127.0.0.2:1", True), ("localhost:4317", True), ("http://[::1]:1", True), ("http://c:1", False)],
)
def test_this_machines_own_addresses_are_known(endpoint: str, *, loopback: bool) -> None:
    assert Target(Origin.FLAG, Transport.GRPC, endpoint).is_loopback is loopback
