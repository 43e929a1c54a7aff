"""A run on disk: made once, written whole, read back the same, refused by name."""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from punie.trace import semconv
from punie.trace.analysis.records import PlannedQuery
from punie.trace.errors import InputError, OutputError
from punie.trace.store.documents import encode
from punie.trace.store.runs.run_folder import RunFolder
from punie.trace.store.runs.run_plan import RunPlan, RunSettings, decode_plan
from punie.trace.store.runs.server_log import SERVER_LOG

PLAN: Final = RunPlan(
    run_id="2026-11-23T14-05-09-demo",
    suite_name="discrimination",
    suite_hash="ab12",
    planned=(PlannedQuery("views", 0, 0, 0), PlannedQuery("forms", 1, 2, 3)),
    model="demo/target",
    cache="server",
    seed=7,
    created="2026-11-23T14:05:09+00:00",
    draft="demo/draft",
    server_command=("python", "-m", "mlx_lm.server"),
    settings=RunSettings(repeats=2, temperature=0.0, in_turns=True),
    versions={"mlx-lm": "0.32.2"},
    machine={"system": "Linux"},
)
DATA: Final = Path(__file__).parents[1] / "data" / "formats"
LINE: Final = (
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"n",'
    '"startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}\n'
)


def test_a_plan_comes_back_the_same(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs", "one")
    folder.write_plan(PLAN)
    assert RunFolder.open(folder.path).read_plan() == PLAN
    assert sorted(path.name for path in folder.path.iterdir()) == ["run.json", "spans"]


def test_a_plan_with_nothing_optional_comes_back_the_same() -> None:
    bare = RunPlan("id", "suite", "hash", (), "model", "off", 0, "now")
    assert decode_plan(encode(bare), "run.json") == bare


def test_folders_of_the_same_name_stand_side_by_side(tmp_path: Path) -> None:
    made = [RunFolder.create(tmp_path, "run").path.name for _ in range(3)]
    assert made == ["run", "run-2", "run-3"]


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match="can't make the folder"):
        RunFolder.create(tmp_path / "runs", "one")


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_what_is_no_run_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{name}: not a run folder"):
        RunFolder.open(tmp_path / name)


def test_spans_of_all_processes_with_what_could_not_be_read(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    (folder.spans_dir / "agent-1.jsonl").write_text(LINE % ("a" * 32, "1" * 16) + LINE[:40])
    (folder.spans_dir / "mlx_lm-2.jsonl").write_text(LINE % ("a" * 32, "2" * 16))
    (folder.spans_dir / "notes.txt").write_text("not a journal")
    found = folder.load_spans()
    assert [span.span_id[0] for span in found.spans] == ["1", "2"]
    assert [(Path(record.file).name, record.line) for record in found.unreadable] == [("agent-1.jsonl", 2)]
    (note,) = found.notes
    assert note.slug == "file-without-spans"
    assert note.case.startswith(f"{folder.spans_dir / 'notes.txt'}: neither JSON nor")


def test_journals_that_were_packed_and_other_formats_beside_them_are_read(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    spans = folder.spans_dir
    (spans / "agent-1.jsonl").write_text("")
    (spans / "agent-2.jsonl").write_text(LINE[:40])
    (spans / "mlx_lm-2.jsonl.gz").write_bytes(gzip.compress((LINE % ("a" * 32, "1" * 16)).encode()))
    (spans / "otlp.json").write_text(LINE % ("a" * 32, "2" * 16))
    (spans / "older").mkdir()
    (spans / "older" / "packed").write_bytes(gzip.compress((LINE % ("a" * 32, "3" * 16)).encode()))
    (spans / "broken.pb").write_bytes(b"hello")
    (spans / "server.log").write_text("started")
    (spans / ".DS_Store").write_text("hello")
    found = folder.load_spans()
    assert sorted(span.span_id[0] for span in found.spans) == ["1", "2", "3"]
    assert [(Path(record.file).name, record.line) for record in found.unreadable] == [
        ("agent-2.jsonl", 1),
        ("broken.pb", 0),
    ]
    assert found.notes == ()


def test_what_the_server_s_log_says_is_read_beside_the_spans_too(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    (folder.spans_dir / SERVER_LOG).write_text(f"{semconv.LOG_SPANS_LOST} disk full\n")
    assert [note.slug for note in folder.load_spans().notes] == ["spans-lost"]


def test_tools_that_the_server_ignores_are_counted(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    line = f"2026-11-30 03:00:00 - WARNING - {semconv.LOG_TOOLS_IGNORED} If you think this is an error, ask\n"
    (folder.path / SERVER_LOG).write_text(line * 3)
    (note,) = folder.load_spans().notes
    assert (note.slug, note.count) == ("tools-ignored", 3)
    assert note.case == "server.log: Received tools but model does not support tool calling."


def test_a_plan_that_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.plan_path.mkdir()  # nothing can replace a folder
    with pytest.raises(OutputError, match=r"run.json: can't be written"):
        folder.write_plan(PLAN)
    assert sorted(path.name for path in folder.path.iterdir()) == ["run.json", "spans"]


def test_a_run_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run.json: can't be read"):
        RunFolder.create(tmp_path, "run").read_plan()


def changed(**fields: Any) -> str:  # noqa: ANN401 # any JSON value
    return json.dumps({**json.loads(encode(PLAN)), **fields})


@pytest.mark.parametrize("text", ["{", "[]", "{}", changed(format_version=3)])
def test_a_file_that_is_no_plan_of_ours_comes_with_a_next_step(text: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_plan(text, "run.json")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "run.json: not JSON"),
        ("[" * 100_000, "run.json: not JSON"),
        ("[]", "run.json: not an object"),
        ("{}", "run.json: format_version is missing or not a whole number"),
        (changed(format_version=3), "run.json: format_version 3, and this punie-trace reads 2"),
        (changed(seed=True), "run.json: seed: expected a whole number, got true or false"),
        (changed(seed=int("9" * 4000)), "run.json: seed: "),
        (changed(model=None), "run.json: model: expected text, got nothing"),
        (changed(versions={"a": 1}), r"run.json: versions\[...\]: expected text, got a whole number"),
        (changed(server_command=[1]), r"run.json: server_command\[0\]: expected text, got a whole number"),
        (changed(planned=[1]), r"run.json: planned\[0\]: expected a table, got a whole number"),
        (changed(planned=[{}]), r"run.json: planned\[0\]: object missing required field query_id"),
        (changed(settings={"stream": "maybe"}, format_version=1), "run.json: settings: stream: "),
    ],
)
def test_a_plan_that_is_wrong_names_file_and_field(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_plan(text, "run.json")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ('{"max_memory_bytes": -1}', "settings.max_memory_bytes"),
        (f'{{"repeats": [{"9" * 400}]}}', "settings.repeats[0]"),
    ],
)
def test_a_number_that_can_not_be_is_refused_by_its_field(settings: str, field: str) -> None:
    with pytest.raises(InputError, match=f"run.json: {re.escape(field)}: out of range"):
        decode_plan(f'{{"format_version": 2, "settings": {settings}}}', "run.json")


def test_a_plan_of_the_first_format_is_read_with_its_settings_typed() -> None:
    text = (DATA / "run_format_1.json").read_text()
    plan = decode_plan(text, "run.json")
    assert plan.settings == RunSettings(
        agent="default",
        repeats=2,
        server_starts=1,
        stream=True,
        plain_server=False,
        demo_model=True,
        max_tokens=1024,
        temperature=0.0,
        target_ns=10_000_000_000,
    )
    assert decode_plan(encode(plan), "run.json") == plan


def test_reports_of_a_run_come_out_the_same_whenever_they_are_asked_for() -> None:
    thirty_days_ns = 30 * 86_400 * 10**9
    assert PLAN.now_ns == 1_795_442_709 * 10**9 + thirty_days_ns
    assert replace(PLAN, created="today").now_ns is None


def test_what_is_no_regular_file_among_the_spans_is_named_and_not_waited_for(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "run")
    os.mkfifo(run.spans_dir / "agent-1.jsonl")
    (run.spans_dir / "agent-2.jsonl").symlink_to(tmp_path / "nowhere")
    reasons = {Path(record.file).name: record.reason for record in run.load_spans().unreadable}
    assert reasons == {
        "agent-1.jsonl": "neither a file nor a folder",
        "agent-2.jsonl": "no such file or folder",
    }


def test_a_pipe_in_place_of_the_log_is_an_error(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "run")
    os.mkfifo(run.log_path)
    with pytest.raises(InputError, match=r"server.log: can't be read: not a regular file"):
        run.load_spans()


def test_a_plan_which_may_name_the_user_s_folders_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.write_plan(PLAN)
    assert folder.plan_path.stat().st_mode & 0o777 == 0o600
