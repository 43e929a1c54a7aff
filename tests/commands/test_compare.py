"""`compare` from the outside: sides, formats, the gate's exit codes, clear refusals."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import jsonschema
import pytest
from records import MS
from rich.cells import cell_len
from sample_reports import COMPARISONS, compared

from punie.trace.__main__ import main
from punie.trace.errors import ExitCode
from punie.trace.report.builders.comparison import build_comparison
from punie.trace.report.formats import FORMATS, TEXT, Material
from punie.trace.report.published.schemas import schema_path

HOSTILE = "\x1b[31m</script>|`x`"


FITTING = [entry for entry in FORMATS if Material.QUERIES not in entry.needs]


def _journal(path: Path, *, slower: int = 1, starts: int = 4) -> Path:
    """A file of OTLP JSON lines: three queries, three times each, in several server starts."""
    generator = random.Random(str(path))  # noqa: S311 - made-up values
    lines = []
    for number in range(9 * starts):
        start, query, repeat = number // 9, number % 3, number // 3 % 3
        begin = 10**18 + number * 10**9
        took = 100 * MS * slower + generator.randrange(5 * MS)
        told = {
            "punie.query.id": f"q{query}",
            "punie.query.repeat": repeat,
            "punie.query.server_start": start,
        }
        attributes = [
            {"key": key, "value": {"intValue": v} if isinstance(v, int) else {"stringValue": v}}
            for key, v in told.items()
        ]
        span = {
            "traceId": f"{generator.getrandbits(120) + 1:032x}",
            "spanId": f"{number + 1:016x}",
            "name": "query",
            "startTimeUnixNano": str(begin),
            "endTimeUnixNano": str(begin + took),
            "attributes": attributes,
        }
        lines.append(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("slower", "starts", "gate", "code"),
    [
        (1, 4, ["--fail-above", "5%", "--and", "10ms"], ExitCode.OK),
        (2, 4, ["--fail-above", "5%", "--and", "10ms"], ExitCode.GATE_FAILED),
        (2, 4, ["--fail-above", "0%", "--and", "0"], ExitCode.GATE_FAILED),
        (2, 4, ["--fail-above", "5%", "--and", "10s"], ExitCode.OK),
        (2, 1, ["--fail-above", "0%"], ExitCode.GATE_UNDECIDED),
        (2, 1, ["--fail-above", "5%", "--and", "10ms"], ExitCode.GATE_UNDECIDED),
        (2, 4, [], ExitCode.OK),
    ],
)
def test_the_gate_s_exit_code(
    slower: int,
    starts: int,
    gate: list[str],
    code: ExitCode,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a = _journal(tmp_path / "a.jsonl", starts=starts)
    b = _journal(tmp_path / "b.jsonl", slower=slower, starts=starts)
    assert main(["compare", str(a), str(b), *gate]) == code
    out, err = capsys.readouterr()
    assert ("\nGate\n" in out) is bool(gate)
    assert (err != "") is (code is not ExitCode.OK)


def test_several_sources_make_up_a_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = {side: [_journal(tmp_path / f"{side}{n}.jsonl", starts=1) for n in range(4)] for side in "ab"}
    arguments = [word for side, paths in sides.items() for word in (f"--{side}", *map(str, paths))]
    assert main(["compare", *arguments, "--format", "json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert found["design"]["starts"] == [4, 4]
    assert found["design"]["covers_starts"]
    likeness = {fact["name"]: fact["likeness"] for fact in found["comparability"]}
    assert likeness["suite hash"] == "not known"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "two sides"),
        (["x"], "not 1 sources"),
        (["x", "y", "z"], "--a A1 A2 --b B1 B2"),
        (["x", "y", "--a", "z", "--b", "w"], "not both"),
        (["--a", "x"], "two sides"),
        (["x", "y", "--and", "5ms"], "--fail-above"),
        (["x", "y", "--fail-above", "lots"], "not a percentage"),
        (["x", "y", "--fail-above", "0.05"], "no % sign"),
        (["x", "y", "--fail-above", "5%", "--and", "5"], "no unit"),
    ],
)
def test_a_side_or_a_threshold_that_can_t_work_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *arguments]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("a", "b", "named"),
    [
        (["{}/a.jsonl", "{}/./a.jsonl"], ["{}/b.jsonl"], ("a.jsonl", "./a.jsonl", "in A,")),
        (["{}/b.jsonl"], ["{}/a.jsonl", "{}/linked.jsonl"], ("a.jsonl", "linked.jsonl", "in B,")),
        (["{}/a.jsonl"], ["{}/b.jsonl", "{}"], ("b.jsonl", "in B,")),
        (["{}/a.jsonl"], ["{}"], ("a.jsonl", "in A and B,")),
    ],
)
def test_answers_that_would_count_twice_are_refused(
    a: list[str], b: list[str], named: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        _journal(tmp_path / f"{name}.jsonl", starts=1)
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "a.jsonl")
    sides = [[text.format(tmp_path) for text in side] for side in (a, b)]
    assert main(["compare", "--a", *sides[0], "--b", *sides[1]]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "share 9 answers" in said
    assert all(words in said for words in named)


def test_several_sources_against_the_same_ones_are_no_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(_journal(tmp_path / f"{n}.jsonl", starts=1)) for n in range(2)]
    assert main(["compare", "--a", *runs, "--b", *reversed(runs), "--fail-above", "0%"]) == ExitCode.OK
    assert "the same answers on both sides" in capsys.readouterr().out


def test_a_source_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(_journal(tmp_path / "a.jsonl")), str(tmp_path / "none")]) == ExitCode.INPUT
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_format_of_every_kind_of_comparison(name: str) -> None:
    texts = {entry.name: entry.write(build_comparison(compared(name))) for entry in FITTING}
    assert all(text.endswith("\n") for text in texts.values())
    assert max(cell_len(line) for line in texts["text"].splitlines()) <= 80
    assert "\x1b" not in texts["text"]
    assert "</script>" not in texts["md"]
    for readable in (texts["text"], texts["md"]):
        assert readable.index("differs: model") < readable.index("Gate\n")
    schema = json.loads(schema_path("comparison").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(texts["json"])
    jsonschema.validate(document, schema)
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert len(rows) == len(document["changes"]) + len(document["queries"])


def test_the_same_answers_are_said_to_be_the_same() -> None:
    texts = {entry.name: entry.write(build_comparison(compared("itself once"))) for entry in FITTING}
    for readable in (texts["text"], texts["md"]):
        assert "the same answers on both sides" in readable
        assert "undecided" not in readable
    assert json.loads(texts["json"])["gate"]["gate"] == "passed"


def test_a_network_that_one_side_doesn_t_know_is_not_compared() -> None:
    text = TEXT.write(build_comparison(compared("network not known")))
    (line,) = (line for line in text.splitlines() if line.strip().startswith("http"))
    assert "not known" in line
