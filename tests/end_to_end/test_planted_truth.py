"""The ledger and its verdict are true, not by construction: phases of known length, measured from outside.

A stub server and a stub tool last as long as planted and note how long they really lasted. The whole way from
`run` to the report stands between them and the figures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pydantic_ai import Agent
from stub_server import FOUND, Noted, Planted, StubServer, stub_server

from punie.trace.__main__ import main

QUERY_S = 0.4
QUERIES = 5
# Transit and thread switches: generation is seen from outside the server here. A busy machine lets each of some ten
# switches of a phase wait as long as the sleeps of the stub. Medians, for it stops a process for longer now and then.
CLOCK_ALLOWS_NS = 60_000_000
SWITCHES = 10
THRESHOLD = 0.7
# A query that a busy machine stopped for long weighs as much as many: no bound on its share bounds the interval then.
EVEN = 1.5

SUITE = "name = 'planted'\nversion = 1\n" + "".join(
    f"[[query]]\nid = 'q{n}'\ntext = 'question {n}'\nexpect = 'tool'\ntool = ['slow_tool']\narguments = '.*'\n"
    for n in range(QUERIES)
)

RunStub = Callable[..., dict[str, Any]]


def _agent(planted: Planted, noted: Noted) -> Agent[None, str]:
    def slow_tool() -> str:
        """Takes its time."""
        noted.sleep(noted.tool, planted.tool_s)
        return FOUND

    return Agent(name="planted", tools=[slow_tool], defer_model_check=True)


@pytest.fixture
def run_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStub:
    """Runs the suite on a stub and returns the report's JSON."""
    (tmp_path / "suite.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)

    def run(stub: StubServer, planted: Planted, *flags: str) -> dict[str, Any]:
        module = tmp_path / "planted_agents.py"
        module.write_text("agent = None\n")
        monkeypatch.syspath_prepend(tmp_path)
        import planted_agents  # type: ignore[import-not-found] # written above

        monkeypatch.setattr(planted_agents, "agent", _agent(planted, stub.noted))
        arguments = [
            "run",
            "--base-url",
            stub.base_url,
            "--agent",
            "planted_agents:agent",
            "--suite",
            "suite.toml",
        ]
        assert main([*arguments, "--repeat", "3", *flags, "-o", "report.json", "--no-export"]) == 0
        return dict(json.loads((tmp_path / "report.json").read_text()))

    return run


def _inside(noted: list[tuple[int, int]], query: dict[str, Any]) -> int:
    start, end = query["start_ns"], query["start_ns"] + query["wall_ns"]
    return sum(last - first for first, last in noted if start <= first and last <= end)


def _decided(shares: list[tuple[float, float]], walls_ns: list[int]) -> str:
    """The verdict that no figure between what generation took at least and at most, of each query, can change."""
    if max(walls_ns) > EVEN * min(walls_ns):
        return ""
    low, high = min(low for low, _ in shares), max(high for _, high in shares)
    if low - (high - low) > THRESHOLD:
        return "yes"
    return "no" if high + (high - low) < THRESHOLD else ""


@pytest.mark.parametrize(
    ("share", "stream"), [(0.50, "whole"), (0.69, "streamed"), (0.71, "whole"), (0.90, "streamed")]
)
def test_planted_phases_come_out(share: float, stream: str, run_stub: RunStub) -> None:
    planted = Planted(QUERY_S * share, QUERY_S * (1 - share))
    with stub_server(planted) as stub:
        report = run_stub(stub, planted, *(["--no-stream"] if stream == "whole" else []))
    assert len(report["queries"]) == 3 * QUERIES
    true_generation = true_wall = 0
    excess_ns: list[int] = []
    shares: list[tuple[float, float]] = []
    for query in report["queries"]:
        phases = query["phases_ns"]
        assert sum(phases.values()) == query["wall_ns"]
        generation = _inside(stub.noted.generation, query)
        tool = _inside(stub.noted.tool, query)
        assert phases["model"] >= generation
        assert phases["tool"] >= tool
        excess_ns += [phases["model"] - generation, phases["tool"] - tool]
        assert query["network_known"] is False
        true_generation += generation
        true_wall += query["wall_ns"]
        shares.append((generation / query["wall_ns"], 1 - tool / query["wall_ns"]))
    assert median(excess_ns) < CLOCK_ALLOWS_NS + SWITCHES * median(stub.noted.late_ns)
    verdict = report["verdicts"]["generation"]
    wrong = "no" if true_generation > THRESHOLD * true_wall else "yes"
    assert verdict["verdict"] != wrong
    assert verdict["interval"]["low"] <= verdict["estimate"] <= verdict["interval"]["high"]
    decided = _decided(shares, [query["wall_ns"] for query in report["queries"]])
    assert verdict["verdict"] == decided or not decided


def test_a_server_that_waits_is_not_the_tool_s_fault(run_stub: RunStub) -> None:
    planted = Planted(0.25, 0.0)
    with stub_server(planted) as stub:
        before = time.time_ns()
        report = run_stub(stub, planted)
        after = time.time_ns()
    for query in report["queries"]:
        assert before < query["start_ns"] < after
        assert query["phases_ns"]["tool"] < query["phases_ns"]["model"] / 4
