"""`config.toml`: what is written is read again, what it doesn't name stays, what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from punie.trace.analysis.experiment.arms import (
    AgentSettings,
    Arm,
    PromptCache,
    RequestSettings,
    ServerSettings,
)
from punie.trace.analysis.experiment.configuration import Configuration, configuration_text, difference
from punie.trace.errors import InputError
from punie.trace.store.configuration import read_configuration

BASELINE = Arm("baseline", ServerSettings(model="m", prompt_cache=PromptCache.OFF))
FASTER = Arm(
    "faster",
    ServerSettings(model="m", prefill_step_size=4096),
    RequestSettings(max_tokens=300, template_args={"enable_thinking": False}),
    AgentSettings(instruction='Be brief: "yes" or "no".', stream=False),
)


def test_what_differs_is_written_and_read_again(tmp_path: Path) -> None:
    made = difference(BASELINE, FASTER)
    text = configuration_text(made, "2.1 times faster\nby three levers")
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert (tmp_path / "config.toml").read_text() == (
        "# 2.1 times faster\n"
        "# by three levers\n"
        "\n"
        "[server]\n"
        'prompt_cache = "server"\n'
        "prefill_step_size = 4096\n"
        "\n"
        "[request]\n"
        "max_tokens = 300\n"
        'template_args = { "enable_thinking" = false }\n'
        "\n"
        "[agent]\n"
        'instruction = "Be brief: \\"yes\\" or \\"no\\"."\n'
        "stream = false\n"
    )
    found = read_configuration(tmp_path / "config.toml")
    assert found.named == made.named
    assert replace(found.onto(BASELINE), name="faster") == FASTER


def test_nothing_is_an_empty_file() -> None:
    assert configuration_text(Configuration()) == "\n"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    file = tmp_path / "c.toml"
    file.write_text('[server]\nmodel = "org/name"\ndraft = "tuned"\nadapter = "adapter"\n')
    server = read_configuration(file).server
    assert (server.model, server.draft, server.adapter) == (
        "org/name",
        str(tmp_path / "tuned"),
        str(tmp_path / "adapter"),
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[sever]\nmodel = 'm'", "sever is not known"),
        ("server = 1", "server is no table"),
        ("[server]\nmodle = 'm'", "server.modle is not known"),
        ("[request]\nmax_tokens = 'many'", "max_tokens: expected a whole number"),
        ("[server", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=named) as caught:
        read_configuration(file)
    assert str(file) in caught.value.message
