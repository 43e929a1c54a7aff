"""`docker-compose.yml` as Compose itself reads it, held against what the tests run. No engine runs here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from stack_programs import COLLECTOR_VERSION, ROOT

from punie.trace.stack_ports import DEFAULTS, StackPort, stack_port
from stack import CONFIG, PROMETHEUS_FLAGS

COMPOSE: Final = Path(sys.executable).with_name("docker-compose")
PROFILES: Final = ((), ("--profile", "scale"))
LISTENS: Final = re.compile(r"0\.0\.0\.0:(\d+)")
OWN_PORTS: Final = {
    "prometheus": {9090},
    "grafana": {3000},
    "clickhouse": {8123},
}  # they listen there unasked


def _services(*flags: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    done = subprocess.run(
        [str(COMPOSE), *flags, "config", "--format", "json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["services"])


@pytest.fixture(scope="module", params=PROFILES, ids=["laptop", "scale"])
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What `docker compose [--profile scale] up` would start."""
    return _services(*request.param)


def _mounts(service: dict[str, Any], kind: str) -> dict[str, str]:
    """Source by target."""
    return {m["target"]: m["source"] for m in service.get("volumes", ()) if m["type"] == kind}


def _configs(service: dict[str, Any]) -> Iterator[Path]:
    """The files of ours that its command line names, as they are on this machine."""
    mounted = _mounts(service, "bind")
    for argument in service.get("command") or ():
        if argument.startswith(("--config=", "--config.file=")):
            yield Path(mounted[argument.partition("=")[2]])


def test_up_alone_is_the_laptop_and_the_profile_is_scale() -> None:
    both = {"collector-health", "prometheus", "grafana"}
    assert set(_services()) == both | {"collector-laptop", "jaeger-laptop"}
    assert set(_services("--profile", "scale")) == both | {"collector-scale", "jaeger-scale", "clickhouse"}


def test_every_image_has_a_version_that_the_page_on_the_stack_tells(services: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "stack.md").read_text()
    for service in services.values():
        name, _, version = service["image"].partition("@")[0].partition(":")
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", version), service["image"]
        assert f"`{name}:{version}`" in page


def test_the_collector_is_the_version_that_the_tests_build(services: dict[str, Any]) -> None:
    (image,) = {
        one["image"] for name, one in services.items() if name in ("collector-laptop", "collector-scale")
    }
    assert image == f"otel/opentelemetry-collector-contrib:{COLLECTOR_VERSION}"


def test_every_port_is_on_loopback_and_somebody_listens_there(services: dict[str, Any]) -> None:
    published = []
    for name, service in services.items():
        listens = {int(port) for file in _configs(service) for port in LISTENS.findall(file.read_text())}
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1"
            assert int(port["published"]) == port["target"]
            assert port["target"] in listens | OWN_PORTS.get(name, set())
            published.append(port["target"])
    assert len(set(published)) == len(published)
    assert {4317, 4318, 16686, 9090, 3000} <= set(published)


def test_a_port_that_is_taken_is_moved_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(StackPort):
        monkeypatch.setenv(name.value, str(21_000 + number))
    published = {
        port["target"]: int(port["published"])
        for service in _services("--profile", "scale").values()
        for port in service.get("ports", ())
    }
    for name in StackPort:
        assert published[DEFAULTS[name]] == stack_port(name)
    assert _services()["grafana"]["environment"]["JAEGER_PORT"] == str(stack_port(StackPort.JAEGER))


def test_every_mounted_file_exists_and_is_read_only(services: dict[str, Any]) -> None:
    for service in services.values():
        for mount in service.get("volumes", ()):
            if mount["type"] == "bind":
                assert Path(mount["source"]).exists(), mount["source"]
                assert mount["read_only"]


def test_what_must_last_is_on_a_volume(services: dict[str, Any]) -> None:
    text = "".join(file.read_text() for service in services.values() for file in _configs(service))
    folders = set(re.findall(r"_DIR:-([^}]+)\}", text))
    volumes = {target for service in services.values() for target in _mounts(service, "volume")}
    assert folders <= volumes
    assert "/var/lib/otelcol/queue" in folders
    assert {"/prometheus", "/var/lib/grafana"} <= volumes


def test_an_address_in_a_file_is_a_service_that_is_up_and_listens(services: dict[str, Any]) -> None:
    files = {name: list(_configs(service)) for name, service in services.items()}
    listens: dict[str, set[int]] = {
        name: {int(port) for file in files[name] for port in LISTENS.findall(file.read_text())}
        | {int(port) for file in files[name] for port in re.findall(r"_SELF_PORT:-(\d+)", file.read_text())}
        for name in services
    }
    for name, service in services.items():
        for network in service["networks"].values():
            for alias in (network or {}).get("aliases", ()):
                listens[alias] = listens[name]
    listens["clickhouse"] = {9000}
    called = re.compile(r"(?<![\w.])(collector|jaeger|clickhouse|prometheus):(\d+)")
    found = {
        pair for files_of in files.values() for file in files_of for pair in called.findall(file.read_text())
    }
    assert len(found) >= 4
    for host, port in found:
        assert int(port) in listens[host], f"{host}:{port}"


def test_each_has_a_health_check_and_the_collectors_is_asked_by_its_neighbour(
    services: dict[str, Any],
) -> None:
    unchecked = {name for name, service in services.items() if "healthcheck" not in service}
    assert unchecked <= {"collector-laptop", "collector-scale"}  # an image without a shell
    assert "http://collector:13133/" in services["collector-health"]["healthcheck"]["test"]
    for name, service in services.items():
        health = [
            argument for argument in service.get("healthcheck", {}).get("test", ()) if ":13133" in argument
        ]
        if name.startswith("jaeger"):
            (url,) = health
            assert url.endswith("/status")  # as the tests ask it


def test_prometheus_has_the_flags_that_the_tests_give_it(services: dict[str, Any]) -> None:
    assert set(PROMETHEUS_FLAGS) <= set(services["prometheus"]["command"])


def test_grafana_asks_for_no_account_and_lets_nobody_change_anything(services: dict[str, Any]) -> None:
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"


def test_the_only_password_stands_in_one_file_and_the_page_tells_it() -> None:
    scale = _services("--profile", "scale")
    passwords = {
        value
        for service in scale.values()
        for name, value in (service.get("environment") or {}).items()
        if "PASSWORD" in name
    }
    (password,) = passwords
    (line,) = [line for line in (ROOT / ".env").read_text().splitlines() if "PASSWORD=" in line]
    assert line == f"PUNIE_CLICKHOUSE_PASSWORD={password}"
    assert f"password `{password}`, which stands in `.env`" in (
        ROOT / "docs" / "stack.md"
    ).read_text().replace("\n", " ")
    for file in [ROOT / "docker-compose.yml", *CONFIG.glob("*.yaml")]:
        assert f"PASSWORD:-{password}" not in file.read_text()
        assert f"password={password}" not in file.read_text()


def test_every_file_in_the_collectors_folder_is_used_by_somebody() -> None:
    mounted = {
        Path(source).name
        for flags in PROFILES
        for service in _services(*flags).values()
        for source in _mounts(service, "bind").values()
    }
    others = {"builder.yaml", "collector-sampling.yaml"}  # for the build, and for more than one machine
    assert {file.name for file in CONFIG.glob("*.yaml")} == {
        n for n in mounted if n.endswith(".yaml")
    } | others
