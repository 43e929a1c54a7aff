"""The files of a benchmark, written and read again, also in their first format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from benches import build_plan, build_preflight

from punie.trace.analysis.experiment.observation import Divergence, DivergenceKind
from punie.trace.analysis.speculative.model import BenchSettings
from punie.trace.analysis.speculative.prediction import predict_memory
from punie.trace.analysis.speculative.preset import as_benchmark, as_experiment
from punie.trace.bench.documents import CellRecord, CellStatus, decode_plan, decode_preflight
from punie.trace.errors import InputError
from punie.trace.store.documents import decode, encode

PLAN: Final = build_plan(settings=BenchSettings(suite="x"), max_memory_bytes=32)
FORMATS: Final = Path(__file__).parents[1] / "data" / "formats"


def test_a_plan_survives_the_file() -> None:
    assert decode_plan(encode(as_experiment(PLAN)), "bench.json") == as_experiment(PLAN)


def test_a_benchmark_of_drafts_is_an_experiment_and_that_the_same_benchmark() -> None:
    assert as_benchmark(as_experiment(PLAN)) == PLAN


def test_a_plan_of_the_second_format_is_read_as_an_experiment() -> None:
    assert decode_plan(encode(PLAN), "bench.json") == as_experiment(PLAN)


def test_a_preflight_survives_the_file() -> None:
    preflight = build_preflight(memory=predict_memory(target_bytes=1, draft_bytes=2), notes=("a",))
    assert decode_preflight(encode(preflight), "preflight.json") == preflight


@pytest.mark.parametrize("count", ["k", "draft", "target_bytes"])
def test_a_count_of_a_preflight_below_0_is_refused(count: str) -> None:
    preflight = encode(build_preflight(memory=predict_memory(target_bytes=1, draft_bytes=2)))
    broken = re.sub(rf'"{count}": \d+', f'"{count}": -1', preflight)
    with pytest.raises(InputError, match=rf"preflight.json: .*{count}: out of range"):
        decode_preflight(broken, "preflight.json")


def test_divergences_survive_the_file() -> None:
    found = (
        Divergence("find", 0, "draft0-k2", 1, 0, 3, 7, None, logit_gap=0.5, kind=DivergenceKind.TIE),
        Divergence("find", 1, "draft0-k2", 1, 0, None, None, None),
    )
    assert decode(encode(found), tuple[Divergence, ...], "divergences.json") == found


def test_files_of_the_first_format_are_read() -> None:
    plan = decode_plan((FORMATS / "bench_format_1.json").read_text(), "bench.json")
    expected = BenchSettings(workspace=None, allow_vocab_mismatch=False, draft_cache="off")
    assert as_benchmark(plan).settings == expected
    assert decode_plan(encode(plan), "bench.json") == plan
    preflight = decode_preflight((FORMATS / "preflight_format_1.json").read_text(), "preflight.json")
    assert preflight.drafts
    cell = decode((FORMATS / "cell_format_1.json").read_text(), CellRecord, "cell.json")
    assert (cell.status, cell.name, cell.arms) == (CellStatus.DONE, "0000-batched", ("batched",))
    assert cell.took_ns is not None
    failed = '{"status": "failed", "name": "0003-draft0", "block": 0, "error": "no room"}'
    assert decode(failed, CellRecord, "cell.json").error == "no room"


def changed(**fields: Any) -> str:  # noqa: ANN401 # any JSON value
    return json.dumps(json.loads(encode(PLAN)) | fields)


def arms(index: int, **fields: Any) -> str:  # noqa: ANN401 # as above
    """The plan with one arm changed."""
    raw = json.loads(encode(PLAN))
    raw["arms"][index] |= fields
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(model=7), "bench.json: model: expected text, got a whole number"),
        (changed(blocks=True), "bench.json: blocks: expected a whole number, got true or false"),
        (changed(blocks=10**9), "bench.json: blocks: 1000000000 is not between 1 and 10000"),
        (changed(repeats=0), "bench.json: repeats: 0 is not between"),
        (changed(queries=[]), "bench.json: queries: there are none"),
        (changed(temperature=-1.0), "bench.json: arms[0]: request.temperature: -1.0"),
        (changed(temperature=float("nan")), "bench.json: not JSON"),
        (changed(arms="all"), "bench.json: arms: expected a list, got text"),
        (changed(arms=[]), "bench.json: arms: batched has to be there once, not 0 times"),
        (arms(2, draft=0), "bench.json: arms[2]: draft: only an arm with a draft has one"),
        (arms(3, draft=7), "bench.json: arms[3]: draft: 7 is none of the 1 drafts"),
        (arms(3, k=None), "bench.json: arms[3]: k: None is not between"),
        (arms(3, name="../../x"), "bench.json: arms[3]: name: '../../x' is no name of an arm"),
        (arms(3, kind="fast"), "bench.json: arms[3].kind: invalid enum value 'fast'"),
        (changed(settings=[]), "bench.json: settings: expected a table, got a list"),
        (changed(settings={"query_timeout": "x"}, format_version=1), "bench.json: settings: query_timeout"),
        (changed(format_version=9), "format_version 9, and this punie-trace reads 3"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("{}", "format_version"),
    ],
)
def test_a_plan_that_is_wrong_names_the_field(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_plan(text, "bench.json")
    assert message in caught.value.message


def test_a_field_of_a_newer_version_is_ignored_and_a_missing_one_named() -> None:
    raw = json.loads(encode(PLAN))
    assert decode_plan(json.dumps(raw | {"new": 1}), "b") == as_experiment(PLAN)
    del raw["suite_hash"]
    with pytest.raises(InputError, match="missing required field suite_hash"):
        decode_plan(json.dumps(raw), "b")
