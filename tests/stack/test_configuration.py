"""The files in `collector/`: accepted by the real programs, and speaking of names that we know."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from semconv_names import known_names
from stack_programs import COLLECTOR_VERSION, MANIFEST, find

from punie.trace import semconv
from stack import CONFIG, collector_environment, jaeger_environment, require
from stack import Ports as StackPorts

COLLECTOR: Final = ("collector.yaml",)
SCALE: Final = (*COLLECTOR, "collector-scale.yaml")
SAMPLING: Final = (*SCALE, "collector-sampling.yaml")
NAMED: Final = re.compile(r'attributes\["([^"]+)"\]|(?:key|name): ([a-z_]+\.[\w.]+)')


def _read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CONFIG / name).read_text()))


@pytest.mark.parametrize("files", [COLLECTOR, SCALE, SAMPLING], ids="+".join)
def test_the_collector_accepts_its_files_and_their_overlays(files: tuple[str, ...]) -> None:
    require("otelcol")
    done = subprocess.run(
        [str(find("otelcol")), "validate", *(f"--config={CONFIG / name}" for name in files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("storage", ["jaeger-badger.yaml", "jaeger-clickhouse.yaml"])
def test_jaeger_accepts_both_of_its_storages(storage: str) -> None:
    require("jaeger")
    done = subprocess.run(
        [
            str(find("jaeger")),
            "validate",
            f"--config={CONFIG / 'jaeger.yaml'}",
            f"--config={CONFIG / storage}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_jaeger_with_clickhouse_goes_to_the_server_that_its_file_names(tmp_path: Path) -> None:
    """No server is to be had here: that Jaeger dials the configured address is how far this can be seen."""
    require("jaeger")
    ports = StackPorts.free()
    nobody = f"127.0.0.1:{ports.prometheus}"
    done = subprocess.run(
        [
            str(find("jaeger")),
            f"--config={CONFIG / 'jaeger.yaml'}",
            f"--config={CONFIG / 'jaeger-clickhouse.yaml'}",
        ],
        env={**jaeger_environment(tmp_path, ports), "PUNIE_JAEGER_CLICKHOUSE": nobody},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert f"dial tcp {nobody}: connect: connection refused" in done.stderr


def test_every_name_in_a_collector_file_stands_in_semconv() -> None:
    known = known_names()
    found = {
        name
        for file in CONFIG.glob("collector*.yaml")
        for pair in NAMED.findall(file.read_text())
        for name in pair
        if name
    }
    assert len(found) > 30
    assert found - known == set()


def test_a_metric_is_named_like_the_attribute_that_it_is_read_off() -> None:
    for metric in _read("collector.yaml")["connectors"]["signal_to_metrics"]["spans"]:
        (shape,) = (metric[kind] for kind in ("sum", "gauge", "histogram") if kind in metric)
        assert f'attributes["{metric["name"]}"]' in shape["value"]
        assert all(
            f'attributes["{metric["name"]}"] != nil' in condition for condition in metric["conditions"]
        )


def test_what_the_collector_strips_is_what_semconv_calls_content() -> None:
    keys = dict.fromkeys(semconv.CONTENT_KEYS)
    pattern = f"^({'|'.join(key.replace('.', '[.]') for key in keys)})([.].*)?$"
    escaped = pattern.replace("$", "$$")  # the Collector takes `$` for a variable
    text = (CONFIG / "collector.yaml").read_text()
    assert text.count(f'"{escaped}"') == text.count("delete_matching_keys") == 2, f"it should be {escaped}"


def test_buckets_reach_from_a_millisecond_to_five_minutes() -> None:
    connector = _read("collector.yaml")["connectors"]["span_metrics"]
    buckets = connector["histogram"]["explicit"]["buckets"]
    assert (buckets[0], buckets[-1]) == ("1ms", "5m")
    assert connector["dimensions"][0]["name"] == semconv.PHASE


def test_every_queue_is_on_disk_and_never_gives_up_and_nothing_else_batches() -> None:
    whole = [_read(name) for name in SAMPLING]
    exporters = {
        name: settings
        for file in whole
        for name, settings in file.get("exporters", {}).items()
        if name != "prometheus"
    }
    assert set(exporters) == {"otlp_grpc/jaeger", "clickhouse"}
    for settings in exporters.values():
        assert settings["sending_queue"]["storage"] == "file_storage"
        assert settings["sending_queue"]["batch"]
        assert settings["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert not any(name.startswith("batch") for file in whole for name in file.get("processors", {}))


def test_the_build_has_exactly_the_components_that_the_files_name() -> None:
    kinds = ("receivers", "processors", "connectors", "exporters", "extensions")
    manifest = _read("builder.yaml")
    assert manifest["dist"]["version"] == COLLECTOR_VERSION == _version_of(MANIFEST.read_text())
    for kind in kinds:
        named = {
            name.partition("/")[0].replace("_", "").removesuffix("grpc")
            for file in SAMPLING
            for name in _read(file).get(kind, {})
        }
        built = {
            module["gomod"].split()[0].rpartition("/")[2].removesuffix(kind.removesuffix("s"))
            for module in manifest[kind]
        }
        assert built == named


def _version_of(text: str) -> str:
    (version,) = set(re.findall(r" v(0\.\d+\.\d+)", text))
    return str(version)


def test_the_tests_replace_every_address_and_folder_and_nothing_else(tmp_path: Path) -> None:
    ports = StackPorts.free()
    for names, replaced in (
        (COLLECTOR, collector_environment(tmp_path, ports)),
        (("jaeger.yaml", "jaeger-badger.yaml"), jaeger_environment(tmp_path, ports)),
    ):
        named = {
            variable
            for name in names
            for variable in re.findall(r"\$\{env:(\w+):-", (CONFIG / name).read_text())
        }
        assert named == set(replaced)
