"""`--config`: a file's settings are the verb's, flags win, and what no flag sets reaches server, requests and agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.analysis.experiment.arms import AgentSettings, RequestSettings, ServerSettings
from punie.trace.analysis.experiment.configuration import Configuration
from punie.trace.commands.configured import named_options, with_config
from punie.trace.commands.run_options import Options, RunServerOptions, WorkloadOptions
from punie.trace.errors import ExitCode

NAMED = Configuration(
    ServerSettings(model="m", adapter="/a"),
    RequestSettings(max_tokens=300),
    AgentSettings(stream=False),
    frozenset({("server", "model"), ("server", "adapter"), ("request", "max_tokens"), ("agent", "stream")}),
)


def test_a_file_sets_what_no_flag_sets() -> None:
    options = Options(RunServerOptions(model="mine"), WorkloadOptions())
    found = with_config(options, NAMED, frozenset({"model"}))
    assert found.server.model == "mine"
    assert found.server.adapter == Path("/a")
    assert found.server.max_tokens == 300
    assert found.workload.no_stream
    assert found.workload.repeat == 1
    assert named_options(NAMED) == {"model", "adapter", "max_tokens", "no_stream"}


@pytest.mark.parametrize("verb", ["run", "serve", "improve"])
def test_a_file_that_is_wrong_is_named_before_anything_is_started(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[server]\nmodle = 'm'\n")
    assert main([verb, "--config", str(file)]) == ExitCode.INPUT
    assert "server.modle is not known" in capsys.readouterr().err
