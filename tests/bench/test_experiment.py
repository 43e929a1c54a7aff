"""An experiment of any arms as a user runs it, on a stub server that is a program of the user's."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie.trace.__main__ import main
from punie.trace.analysis.experiment.arms import Arm, PromptCache, ServerSettings
from punie.trace.analysis.experiment.measured import CellFacts
from punie.trace.bench.disturbance import MachineState, disturbances, read_throttling
from punie.trace.bench.documents import CellRecord, CellStatus
from punie.trace.bench.execute import Execution
from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.levers import brief, parallel_tools
from punie.trace.bench.levers.registry import LEVERS, parse_change
from punie.trace.bench.measurements import read_measured
from punie.trace.bench.plan import Cell, plan_cells
from punie.trace.bench.plan_file import PlanOverrides, read_experiment
from punie.trace.bench.runtime import Runtime
from punie.trace.bench.servers import server_config
from punie.trace.commands.configured import read_config
from punie.trace.console.bench_progress import BenchProgress
from punie.trace.errors import ExitCode, InputError, ServerError, UsageError
from punie.trace.machine.environment import Environment
from punie.trace.server.command import server_arguments
from punie.trace.server.program_server import ProgramServer
from punie.trace.units import NS_PER_S

STUB = Path(__file__).parents[1] / "support" / "stub_program.py"
SUITE = """
name = "one"
version = 1
[[query]]
id = "wsgi"
text = "What is WSGI?"
expect = "direct"
mentions = ["interface"]
"""
PLAN = """
suite = "suite.toml"
blocks = 1
[baseline]
server = "{stub}"
[[arm]]
name = "lean"
levers = ["brief", "max-tokens=77", "thinking-off"]
[[arm]]
name = "whole"
levers = ["no-stream", "parallel-tools"]
"""
NOW = Environment("2026-11-23T14:05:09+00:00", {}, {})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """One block, then a second one added: the folder, and the bodies of all requests but the probes."""
    folder = tmp_path_factory.mktemp("experiment")
    bodies = folder / "bodies"
    bodies.mkdir()
    (folder / "suite.toml").write_text(SUITE)
    stub = f"{sys.executable} {STUB} {{port}} {bodies}"
    (folder / "plan.toml").write_text(PLAN.format(stub=stub))
    benches = folder / "benches"
    flags = ("--benches", str(benches), "-o", str(folder / "one.json"))
    assert main(["bench", "run", str(folder / "plan.toml"), *flags]) == ExitCode.OK
    (path,) = benches.iterdir()
    more = ("--resume", str(path), "--blocks", "2", "-o", str(folder / "two.json"))
    assert main(["bench", "run", *more]) == ExitCode.OK
    found = [json.loads(file.read_text()) for file in sorted(bodies.glob("*.json"))]
    return path, [body for body in found if body["max_tokens"] != 1]


def bodies_of(bench: tuple[Path, list[dict[str, Any]]], **has: object) -> list[dict[str, Any]]:
    return [body for body in bench[1] if all(body.get(name) == value for name, value in has.items())]


def said(body: dict[str, Any]) -> str:
    return json.dumps([message for message in body["messages"] if message["role"] == "system"])


def test_levers_change_what_the_server_gets(bench: tuple[Path, list[dict[str, Any]]]) -> None:
    lean = bodies_of(bench, max_tokens=77)
    assert len(lean) == 2 * 3  # two blocks: two warm-up questions and one query each
    assert all(body["chat_template_kwargs"] == {"enable_thinking": False} for body in lean)
    assert all(brief.INSTRUCTION in said(body) for body in lean)
    whole = [body for body in bench[1] if not body.get("stream")]
    assert len(whole) == 2 * 3
    assert all(
        body["parallel_tool_calls"] is True and parallel_tools.INSTRUCTION in said(body) for body in whole
    )
    plain = bodies_of(bench, stream=True, max_tokens=1024)
    assert len(plain) == 2 * 2 * 3  # the baseline and itself again
    assert not any(brief.INSTRUCTION in said(body) or "chat_template_kwargs" in body for body in plain)


def test_blocks_that_are_added_are_a_look_of_their_own(bench: tuple[Path, list[dict[str, Any]]]) -> None:
    report = json.loads((bench[0].parents[1] / "two.json").read_text())
    assert report["ended"]["blocks"] == 2
    assert report["ended"]["look"]["level"] == pytest.approx(0.975)
    assert report["ended"]["overall_level"] == pytest.approx(0.925)
    assert report["plan"]["added_at"] == [1]
    assert (report["missing"], report["planned"]) == (0, 8)
    first = json.loads((bench[0].parents[1] / "one.json").read_text())
    assert [cell["name"] for cell in report["cells"]][:4] == [cell["name"] for cell in first["cells"]]


def test_every_arm_is_held_against_the_baseline(bench: tuple[Path, list[dict[str, Any]]]) -> None:
    report = json.loads((bench[0].parents[1] / "two.json").read_text())
    arms = {arm["arm"]["name"]: arm for arm in report["arms"]}
    assert list(arms) == ["baseline", "lean", "whole"]
    assert arms["lean"]["speed_up"]["pairs"] == 2
    assert arms["lean"]["arm"]["levers"] == ["brief", "max-tokens=77", "thinking-off"]
    assert arms["lean"]["gates"][0] == {
        "kind": "accuracy", "verdict": "yes", "queries": [], "better": [], "of": 1, "bound": pytest.approx(0.95),
        "value": None, "limit": None,
    }  # fmt: skip
    assert all(arm["resources"]["peak_bytes"] > 1_000_000 for arm in arms.values())
    assert report["same_again"]["arm"] == "baseline-aa"


def test_its_report_says_what_was_found(bench: tuple[Path, list[dict[str, Any]]]) -> None:
    for name in ("report.md", "report.html"):
        text = (bench[0] / name).read_text()
        for words in (
            "lean: faster than baseline?",
            "accuracy: 0 of 1 query got worse",
            "noise: the baseline against itself",
        ):
            assert words in text.replace("\u00a0", " ")


def test_more_blocks_than_there_are_have_to_be_asked_for(
    bench: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "run", "--resume", str(bench[0]), "--blocks", "2"]) == ExitCode.USAGE
    assert "has 2 already" in capsys.readouterr().err
    assert main(["bench", "speculative", "--resume", str(bench[0])]) == ExitCode.USAGE


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("flag", ["--child", "--apart"])
def test_a_program_and_what_it_starts_are_watched_and_end(flag: str, tmp_path: Path) -> None:
    async def run() -> tuple[int, int | None]:
        line = f"{sys.executable} {STUB} {{port}} {tmp_path} {flag}"
        async with ProgramServer(line, tmp_path / "log", model=None, ready_timeout_s=60) as server:
            assert server.model_name == "stub"
            child = int((tmp_path / "child.pid").read_text())
            end = time.monotonic() + 30
            while (server.peak_memory_bytes() or 0) < 60_000_000 and time.monotonic() < end:  # noqa: ASYNC110 # sampled
                await asyncio.sleep(0.1)
            return child, server.peak_memory_bytes()

    child, peak = asyncio.run(run())
    assert peak is not None
    assert peak > 60_000_000  # the child's, which the program itself doesn't have
    assert _is_gone(child)


def test_a_program_that_goes_to_the_background_is_ended_and_told_to_stay(tmp_path: Path) -> None:
    async def run() -> None:
        line = f"{sys.executable} {STUB} {{port}} {tmp_path} --daemon"
        async with ProgramServer(line, tmp_path / "log", model="m", ready_timeout_s=60):
            pytest.fail("it isn't there")

    with pytest.raises(ServerError, match="the server ended with exit status 0") as caught:
        asyncio.run(run())
    assert "keep it in the foreground, or attach with --base-url" in caught.value.remedy
    assert _is_gone(int((tmp_path / "child.pid").read_text()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[arm]]\nname = 'x'\nlevers = ['brieff']", "arm[0].levers: lever brieff: not known"),
        ("[[arm]]\nname = 'x'\nlevers = ['max-tokens']", "arm[0].levers: lever max-tokens: needs a value"),
        ("[[arm]]\nname = 'x'\nserver = 'sh -c x'", "arm[0].server: program: {port} is missing in 'sh -c x'"),
        ("[[arm]]\nname = 'x'\nserver = 'nosuch-program {port}'", "arm[0].server: program: nosuch-program is no"),
        ("agent = 'm:a'", "agent is not known here, only in another table"),
        (f"[[arm]]\nname = '{'x' * 5000}'", "arms[2]: name: 'xxxxxxxxxx"),
        ("[[arm]]\nname = 'x'\n[arm.request]\nmax_token = 3", "arm[0].request: max_token is not known; did you mean"),
        ("[[arm]]\nname = '../x'", "arms[2]: name: '../x' is no name of an arm"),
        ("[[arm]]\nname = 'baseline'", "arms: baseline has to be there once"),
        ("blocks = 0", "blocks: 0 is not between"),
        ("target = 'soon'", "target or max_memory: target: "),
        ("[stop]\nlooks = [3, 2]", "stopping.looks"),
        ("[baseline.server]\nmodel = 'nowhere/at/all'", "baseline.server: model: "),
    ],
)  # fmt: skip
def test_a_plan_that_is_wrong_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_experiment(file, "b", NOW)
    assert f"plan {file}: " in caught.value.message
    assert message in caught.value.message
    assert len(caught.value.message) < 400


def test_levers_change_the_flags_of_our_server() -> None:
    arm = Arm("a", ServerSettings(prompt_cache=PromptCache.OFF))
    changes = ("prefill-step-size=4096", "prompt-cache", "draft=demo,3")

    def flags(changed: Arm) -> tuple[str, ...]:
        return server_arguments(server_config(Cell(0, 0, "a", (changed,))), port=1)

    step, cache, draft = (flags(parse_change(text).to(arm)) for text in changes)
    assert step[step.index("--prefill-step-size") + 1] == "4096"
    assert "--prompt-cache-size" in flags(arm)
    assert "--prompt-cache-size" not in cache
    assert draft[draft.index("--num-draft-tokens") + 1] == "3"
    assert "--draft-model" in draft


def test_each_lever_has_a_name_of_its_own_and_says_where_it_applies() -> None:
    assert len({lever.name for lever in LEVERS}) == len(LEVERS)
    attached = Arm("a", ServerSettings(base_url="http://127.0.0.1:1/v1"))
    refused = {lever.name for lever in LEVERS if lever.applies(attached)}
    assert refused == {"prompt-cache", "prefill-step-size", "draft", "adapter", "model"}
    with pytest.raises(UsageError, match="takes no value"):
        parse_change("brief=1")


QUIET = MachineState(0, 0, 0, 0, 0, None)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (replace(QUIET, wall_ns=60 * NS_PER_S, monotonic_ns=60 * NS_PER_S), ""),
        (replace(QUIET, wall_ns=60 * NS_PER_S, monotonic_ns=10 * NS_PER_S), "slept"),
        (replace(QUIET, swapped_out_bytes=10**9), "swapped 1"),
        (replace(QUIET, swapped_in_bytes=10**6), ""),
        (replace(QUIET, throttled=4), ""),  # it wasn't known before
    ],
)
def test_what_the_machine_did_is_seen(after: MachineState, words: str) -> None:
    found = disturbances(QUIET, after)
    assert (words in "".join(found)) if words else not found


def test_throttling_is_counted_where_the_kernel_tells(tmp_path: Path) -> None:
    assert read_throttling(tmp_path, "linux") is None
    for core in range(2):
        place = tmp_path / f"devices/system/cpu/cpu{core}/thermal_throttle"
        place.mkdir(parents=True)
        (place / "core_throttle_count").write_text("3\n")
    assert read_throttling(tmp_path, "linux") == 6
    assert disturbances(replace(QUIET, throttled=6), replace(QUIET, throttled=7)) == (
        "the CPU was throttled",
    )


def test_on_macos_throttling_is_what_is_taken_from_the_cpus_speed(tmp_path: Path) -> None:
    said = "Note: No thermal warning level has been recorded\nCPU_Speed_Limit \t= 62\n"
    assert read_throttling(tmp_path, "darwin", lambda _: said) == 38
    assert read_throttling(tmp_path, "darwin", lambda _: "") is None


def test_a_disturbed_block_is_run_again_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    stub = f"{sys.executable} {STUB} {{port}} {tmp_path}"
    file = tmp_path / "plan.toml"
    file.write_text(f'suite = "suite.toml"\nblocks = 1\nsame_again = false\n[baseline]\nserver = "{stub}"\n')
    plan = read_experiment(file, "b", NOW)
    folder = BenchFolder.create(tmp_path, "b")
    folder.write_plan(plan)
    (cell,) = plan_cells(plan)
    folder.cell(cell).spans_dir.mkdir(parents=True)
    slept = ("the machine slept",)
    folder.finish(cell, CellRecord(CellStatus.DONE, cell.name, 0, arms=("baseline",), disturbed=slept))
    asyncio.run(Execution(folder, Runtime.of(plan), BenchProgress(), None).run())
    assert "block 1: the machine slept: run again" in " ".join(capsys.readouterr().err.split())
    measured = read_measured(folder)
    assert measured.set_aside == (CellFacts(cell.name, 0, ("baseline",), disturbed=slept),)
    assert [item.arm for item in measured.observations] == ["baseline"]


def test_the_plan_in_the_documentation_can_be_run_and_every_lever_is_explained_there(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks" / "experiment.md").read_text()
    file = tmp_path / "plan.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    plan = read_experiment(file, "b", NOW)
    assert [arm.name for arm in plan.arms] == ["baseline", "baseline-aa", "cache", "lean", "warmer"]
    assert [name for lever in LEVERS if f"| `{(name := lever.name)}" not in page] == []


def test_the_plan_for_the_production_pair_has_every_lever(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = Path(__file__).parents[2] / "benchmarks" / "plans" / "qwen3-30b-a3b-levers.toml"
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "run", str(plan), "--dry-run", "--format", "json"]) == ExitCode.OK
    arms = {arm["name"]: arm for arm in json.loads(capsys.readouterr().out)["plan"]["arms"]}
    tried = {parse_change(name).lever.name for arm in arms.values() for name in arm["levers"]}
    # the prompt cache is on already, so an arm is without it; an adapter has to be trained first
    assert tried == {lever.name for lever in LEVERS} - {"prompt-cache", "adapter"}
    assert arms["cache-off"]["server"]["prompt_cache"] == "off"
    assert arms["draft"]["output"] == "same"


def test_the_plan_for_llama_cpp_asks_each_query_once_a_server_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An n-gram draft of a repeated prompt copies its own earlier answer."""
    server = tmp_path / "llama-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    plan = read_experiment(Path(__file__).parents[2] / "benchmarks/plans/llama-cpp-ngram.toml", "b", NOW)
    assert plan.repeats == 1
    commands = {arm.name: arm.server.program or "" for arm in plan.arms}
    assert [name for name, line in commands.items() if "--spec-type ngram-" in line] == [
        "ngram-simple-3",
        "ngram-simple",
        "ngram-mod",
    ]


def test_a_configuration_is_what_the_baseline_begins_with(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "won.toml").write_text(
        f'[server]\nprogram = "{sys.executable} {STUB} {{port}} {tmp_path}"\n'
        '[request]\nmax_tokens = 300\n[agent]\ninstruction = "Be brief."\n'
    )
    file = tmp_path / "plan.toml"
    file.write_text(
        'suite = "suite.toml"\n[baseline.request]\nmax_tokens = 77\n[[arm]]\nname = "whole"\nlevers = ["no-stream"]\n'
    )
    changes = PlanOverrides(config=read_config(tmp_path / "won.toml"))
    plan = read_experiment(file, "b", NOW, changes)
    assert all(arm.agent.instruction == "Be brief." for arm in plan.arms)
    assert all(arm.server.program and arm.request.max_tokens == 77 for arm in plan.arms)


def test_draft_models_take_of_a_configuration_what_all_their_arms_can_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "won.toml"
    config.write_text("[request]\nmax_tokens = 300\n")
    dry = ["bench", "speculative", "--dry-run", "--format", "json", "--config", str(config)]
    assert main(dry) == ExitCode.OK
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert {arm["request"]["max_tokens"] for arm in plan["arms"]} == {300}
    config.write_text('[agent]\ninstruction = "Be brief."\n')
    assert main(dry) == ExitCode.USAGE
    assert "doesn't take agent.instruction" in capsys.readouterr().err
