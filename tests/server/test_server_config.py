"""Each field of ServerConfig refuses what can't work, and the command line says the rest."""

from __future__ import annotations

import dataclasses
from importlib.metadata import distribution
from pathlib import Path

import pytest

from punie.trace.errors import ConfigError
from punie.trace.server.command import build_server_command, server_arguments
from punie.trace.server.config import ServerConfig


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("model", "", "needs a folder"),
        ("model", "/no/such/folder", "there is no folder /no/such/folder"),
        ("model", "./nowhere", "there is no folder nowhere"),
        ("model", "a/b/c", "there is no folder a/b/c"),
        ("model", Path("org/name"), "there is no folder org/name"),
        ("model", Path("/"), "there is no config.json in /"),
        ("host", "", "needs an address"),
        ("host", "http://127.0.0.1", "needs an address"),
        ("host", "0.0.0.0", "can be reached from other machines"),  # noqa: S104 - refused here
        ("host", "example.org", "can be reached from other machines"),
        ("port", -1, "between 0 and 65535"),
        ("port", 65536, "between 0 and 65535"),
        ("port", True, "needs a whole number"),
        ("adapter_path", "/no/such/folder", "there is no folder"),
        ("adapter_path", "/", "there is no adapter_config.json"),
        ("temperature", -0.1, "must be at least 0"),
        ("temperature", float("nan"), "needs a finite number"),
        ("temperature", "1", "needs a finite number"),
        ("top_p", 1.1, "between 0 and 1"),
        ("top_p", 0, "the server reads 0 as no limit"),
        ("max_tokens", 0, "must be at least 1"),
        ("max_tokens", 1.0, "needs a whole number"),
        ("chat_template_args", {"tokenize": False}, "the server sets tokenize itself"),
        ("chat_template_args", {"x": object()}, "can't be written as JSON"),
        ("chat_template_args", {"x": float("inf")}, "can't be written as JSON"),
        ("chat_template_args", {1: 2}, "needs names with values"),
        ("chat_template_args", "{}", "needs names with values"),
        ("stop", "END", "needs a list of texts"),
        ("stop", [""], "aren't empty"),
        ("stop", [1], "aren't empty"),
        ("draft_model", "/no/such/folder", "there is no folder"),
        ("num_draft_tokens", 0, "must be at least 1"),
        ("num_draft_tokens", 3, "there is no draft model"),
        ("prompt_cache_size", -1, "must be at least 0"),
    ],
)
def test_value_that_cannot_work_is_refused_by_name(
    field: str, value: object, problem: str, model: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**{"model": model, field: value})  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")
    assert problem in caught.value.message


def test_remote_clients_have_to_be_asked_in(model: Path) -> None:
    assert ServerConfig(model, host="0.0.0.0", allow_remote_clients=True).host == "0.0.0.0"  # noqa: S104 - not bound


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_hosts_are_fine(host: str, model: Path) -> None:
    assert ServerConfig(model, host=host).host == host


def test_paths_become_absolute_and_repository_names_stay(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    assert ServerConfig("model").model == model
    assert ServerConfig("mlx-community/Qwen3-30B-A3B-5bit").model == "mlx-community/Qwen3-30B-A3B-5bit"


def test_config_is_frozen_and_keeps_its_own_copies(model: Path) -> None:
    arguments: dict[str, object] = {"enable_thinking": False}
    config = ServerConfig(model, chat_template_args=arguments, stop=["END"])
    arguments["enable_thinking"] = True
    assert config.chat_template_args == {"enable_thinking": False}
    assert config.request_defaults() == {"stop": ["END"]}
    assert ServerConfig(model).request_defaults() == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.port = 1  # type: ignore[misc]  # wrong on purpose


def full_config(model: Path) -> ServerConfig:
    for file in ("adapter_config.json", "adapters.safetensors"):
        (model / file).touch()
    return ServerConfig(
        model,
        adapter_path=model,
        temperature=0.5,
        top_p=0.9,
        max_tokens=100,
        chat_template_args={"enable_thinking": False, "b": "ü"},
        stop=("END",),
        draft_model="org/draft",
        num_draft_tokens=2,
        prompt_cache_size=0,
    )


def test_command_of_the_smallest_config(model: Path) -> None:
    assert build_server_command(ServerConfig(model), port=8123, python="python") == (
        *("python", "-P", "-m", "punie.trace.server.launcher", "--"),
        *("--model", str(model), "--host", "127.0.0.1", "--port", "8123"),
    )


def test_command_says_every_field_but_stop(model: Path) -> None:
    assert build_server_command(full_config(model), port=1, python="python", hook="a.b:c") == (
        *("python", "-P", "-m", "punie.trace.server.launcher", "--hook", "a.b:c", "--"),
        *("--model", str(model), "--host", "127.0.0.1", "--port", "1"),
        *("--adapter-path", str(model), "--temp", "0.5", "--top-p", "0.9", "--max-tokens", "100"),
        *("--chat-template-args", '{"b": "\\u00fc", "enable_thinking": false}'),
        *("--draft-model", "org/draft", "--num-draft-tokens", "2", "--prompt-cache-size", "0"),
    )


def test_the_server_knows_every_flag(model: Path) -> None:
    source = Path(str(distribution("mlx-lm").locate_file("mlx_lm/server.py"))).read_text()
    flags = [part for part in server_arguments(full_config(model), port=1) if part.startswith("--")]
    assert [flag for flag in flags if f'"{flag}",' not in source] == []
