"""Traces recorded with the real packages: their ledgers worked out by hand from the times of their spans.

Every number below is a time in nanoseconds since the query's start, as it stands in the recording; a phase is the
sum of its stretches. What no stretch of a model call or a tool covers is framework, written out as the gaps between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from punie.trace import semconv
from punie.trace.__main__ import main
from punie.trace.analysis.pipeline import QueryRecords, read_queries
from punie.trace.analysis.queries.traces import read_traces
from punie.trace.analysis.trees.roles import Role
from punie.trace.errors import ExitCode
from punie.trace.model import Phase, Provenance
from punie.trace.store.sources import read_source

FOLDER: Final = Path(__file__).parents[1] / "data" / "recorded" / "frameworks"
Stretches = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ByHand:
    """What a recording has to come to. `tokens` are those in, cached and out."""

    wall_ns: int
    stretches: Mapping[Phase, Stretches]
    tokens: tuple[int | None, int | None, int | None]
    turns: int
    tools: tuple[str, ...] = ()
    first_chunks_ns: tuple[int, ...] = ()
    flaws: tuple[str, ...] = ()
    network_known: bool = False

    @property
    def phases_ns(self) -> dict[Phase, int]:
        sums = {phase: sum(end - start for start, end in found) for phase, found in self.stretches.items()}
        return dict.fromkeys(Phase, 0) | sums


BY_HAND: Final = {
    "openinference_openai_streamed": ByHand(
        wall_ns=468_477_003,  # one LLM span, which is the root
        stretches={Phase.MODEL: ((0, 468_477_003),)},
        tokens=(80, 1, 36),
        turns=1,
        first_chunks_ns=(185_900_690,),  # its event, …460280796055, less its start, …460094895365
    ),
    "openinference_beside_httpx2": ByHand(
        wall_ns=834_801_337,
        stretches={  # the POST ends with the headers, at 19 107 020: the call's own span tells the rest
            Phase.MODEL: ((0, 834_801_337),),
        },
        tokens=(80, 79, 36),
        turns=1,
        first_chunks_ns=(48_968_824,),  # its event, …545375578628, less its start, …545326609804
        flaws=("http-ends-at-headers",),
    ),
    "openinference_openai_agents": ByHand(
        wall_ns=1_212_769_046,  # the outer "Agent workflow": the agents and chains inside it are no queries
        stretches={
            Phase.MODEL: ((7_222_948, 544_134_052), (584_171_940, 1_196_969_892)),
            Phase.TOOL: ((554_325_924, 582_529_956),),
            Phase.FRAMEWORK: (
                (0, 7_222_948),
                (544_134_052, 554_325_924),
                (582_529_956, 584_171_940),
                (1_196_969_892, 1_212_769_046),
            ),
        },
        tokens=(96 + 135, None, 12 + 25),  # this instrumentation doesn't tell the cached ones
        turns=2,
        tools=("run_command",),
    ),
    "openinference_smolagents": ByHand(
        wall_ns=17_081_224_358,
        stretches={
            Phase.MODEL: (
                (29_677_711, 13_948_596_346),
                (13_967_425_503, 15_019_133_108),
                (15_023_693_782, 17_080_343_951),
            ),
            Phase.FRAMEWORK: (
                (0, 29_677_711),
                (13_948_596_346, 13_967_425_503),
                (15_019_133_108, 15_023_693_782),
                (17_080_343_951, 17_081_224_358),
            ),
        },
        tokens=(
            2018 + 2157 + 434,
            None,
            19 + 19 + 22,
        ),  # the sums on the agent's own span count no second time
        turns=3,
    ),
    "openllmetry_openai_streamed": ByHand(
        wall_ns=328_102_042,  # a workflow is no agent: the query is the root
        stretches={
            Phase.MODEL: ((140_645_692, 317_264_806),),
            Phase.FRAMEWORK: ((0, 140_645_692), (317_264_806, 328_102_042)),
        },
        tokens=(80, 79, 36),
        turns=1,
        first_chunks_ns=(31_604_833,),  # the first of its chunk events, …588941954871, less …588910350038
    ),
    "openllmetry_langgraph": ByHand(
        wall_ns=616_444_696,  # the outer of two invoke_agent spans
        stretches={
            Phase.MODEL: ((14_961_783, 111_529_481), (457_896_403, 577_627_560)),
            Phase.TOOL: ((130_377_647, 437_938_459),),
            Phase.FRAMEWORK: (
                (0, 14_961_783),
                (111_529_481, 130_377_647),
                (437_938_459, 457_896_403),
                (577_627_560, 616_444_696),
            ),
        },
        tokens=(96 + 135, 95 + 134, 12 + 25),
        turns=2,
        tools=("run_command",),
    ),
    "langfuse_openai": ByHand(
        wall_ns=310_962_425,
        stretches={
            Phase.MODEL: ((92_199_695, 169_046_842), (190_290_820, 310_825_672)),
            Phase.TOOL: ((169_410_422, 189_852_970),),
            Phase.FRAMEWORK: (
                (0, 92_199_695),
                (169_046_842, 169_410_422),
                (189_852_970, 190_290_820),
                (310_825_672, 310_962_425),
            ),
        },
        tokens=(96 + 135, 95 + 134, 12 + 25),
        turns=2,
        tools=("run_command",),
    ),
    "langfuse_langgraph": ByHand(
        wall_ns=220_379_562,  # each request is known twice, one inside the other: the inner one is the request
        stretches={
            Phase.MODEL: ((8_526_114, 70_370_381), (99_446_098, 219_021_635)),
            Phase.TOOL: ((75_053_507, 96_062_142),),
            Phase.FRAMEWORK: (
                (0, 8_526_114),
                (70_370_381, 75_053_507),
                (96_062_142, 99_446_098),
                (219_021_635, 220_379_562),
            ),
        },
        tokens=(None, None, None),
        turns=2,
        tools=("run_command",),
        first_chunks_ns=(
            60_607_383,
            18_102_399,
        ),  # its own times of microseconds, less the starts of the spans
        flaws=("missing-usage",),
    ),
    "httpx2_beside_opentelemetry": ByHand(
        wall_ns=333_724_313,
        stretches={
            Phase.DECODE: ((83_183_383, 126_772_757), (203_494_212, 325_058_242)),
            Phase.PREFILL: ((24_430_246, 83_183_383), (193_172_621, 203_494_212)),
            Phase.QUEUE: ((22_199_042, 22_268_335), (191_092_462, 191_403_193)),
            Phase.TEMPLATE: ((22_310_097, 23_602_687), (191_433_227, 192_495_936)),
            Phase.PARSE: (
                (126_986_464, 127_086_653),
                (129_701_256, 145_718_877),
                (148_528_731, 148_737_902),
                (327_821_145, 329_703_742),
            ),
            Phase.SERVE: (
                (18_006_145, 22_199_042),
                (22_268_335, 22_310_097),
                (23_602_687, 24_430_246),
                (126_772_757, 126_986_464),
                (127_086_653, 127_229_785),
                (190_861_158, 191_092_462),
                (191_403_193, 191_433_227),
                (192_495_936, 193_172_621),
                (325_058_242, 326_047_246),
            ),
            Phase.HTTP: (  # from our POST to the server and back; the other POST lies in between
                (15_029_373, 18_006_145),
                (127_229_785, 129_701_256),
                (186_284_420, 190_861_158),
                (326_047_246, 327_821_145),
            ),
            Phase.TOOL: ((149_236_933, 174_616_329),),
            Phase.FRAMEWORK: (
                (0, 15_029_373),
                (145_718_877, 148_528_731),
                (148_737_902, 149_236_933),
                (174_616_329, 186_284_420),
                (329_703_742, 333_724_313),
            ),
        },
        tokens=(96 + 135, 95 + 134, 12 + 25),
        turns=2,
        tools=("run_command",),
        network_known=True,
    ),
    "httpx2_beside_logfire": ByHand(
        wall_ns=620_394_967,
        stretches={
            Phase.DECODE: ((61_537_131, 130_946_045), (259_691_581, 596_047_203)),
            Phase.PREFILL: ((44_974_891, 61_537_131), (246_487_048, 259_691_581)),
            Phase.QUEUE: ((41_795_429, 41_888_978), (237_352_711, 237_693_747)),
            Phase.TEMPLATE: ((41_958_231, 43_736_151), (237_755_379, 238_878_147)),
            Phase.PARSE: (
                (131_256_676, 131_377_916),
                (133_206_532, 175_951_171),
                (188_103_621, 188_437_507),
                (601_031_046, 607_752_750),
            ),
            Phase.SERVE: (
                (41_001_500, 41_795_429),
                (41_888_978, 41_958_231),
                (43_736_151, 44_974_891),
                (130_946_045, 131_256_676),
                (131_377_916, 131_597_212),
                (237_176_019, 237_352_711),
                (237_693_747, 237_755_379),
                (238_878_147, 246_487_048),
                (596_047_203, 598_818_329),
            ),
            Phase.HTTP: (
                (29_479_316, 41_001_500),
                (131_597_212, 133_206_532),
                (233_780_405, 237_176_019),
                (598_818_329, 601_031_046),
            ),
            Phase.TOOL: ((189_296_283, 219_290_774),),
            Phase.FRAMEWORK: (
                (0, 29_479_316),
                (175_951_171, 188_103_621),
                (188_437_507, 189_296_283),
                (219_290_774, 233_780_405),
                (607_752_750, 620_394_967),
            ),
        },
        tokens=(96 + 135, 95 + 134, 12 + 25),
        turns=2,
        tools=("run_command",),
        network_known=True,
    ),
}


def read(name: str) -> QueryRecords:
    return read_queries(read_source(str(FOLDER / f"{name}.jsonl")))


def test_every_recording_has_a_ledger_worked_out_by_hand() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(BY_HAND)


@pytest.mark.parametrize("name", BY_HAND)
def test_the_stretches_worked_out_by_hand_tile_the_query(name: str) -> None:
    by_hand = BY_HAND[name]
    stretches = sorted(stretch for found in by_hand.stretches.values() for stretch in found)
    starts, ends = [start for start, _ in stretches], [end for _, end in stretches]
    assert (starts, ends[-1]) == ([0, *ends[:-1]], by_hand.wall_ns)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_recording_comes_to_the_ledger_worked_out_by_hand(name: str) -> None:
    by_hand = BY_HAND[name]
    (record,) = read(name).records
    assert record.wall_ns == by_hand.wall_ns
    assert record.ledger.phases_ns == by_hand.phases_ns
    assert not any(record.ledger.contested_ns.values())
    assert record.error is None
    if not by_hand.network_known:
        assert record.ledger.provenance[Phase.MODEL] == (Provenance.INFERRED,)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_recording_tells_its_tokens_tools_and_flaws(name: str) -> None:
    by_hand = BY_HAND[name]
    found = read(name)
    (record,) = found.records
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == by_hand.tokens
    assert (record.model_requests, record.tool_calls) == (by_hand.turns, len(by_hand.tools))
    assert record.network_known == by_hand.network_known
    assert record.time_to_first_chunk_ns == by_hand.first_chunks_ns
    assert tuple(finding.slug for finding in found.findings) == by_hand.flaws


@pytest.mark.parametrize("name", BY_HAND)
def test_the_report_of_a_recording_names_the_model_and_keeps_to_80_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(FOLDER / f"{name}.jsonl")]) == ExitCode.OK
    _, path, headline, *rest = capsys.readouterr().out.splitlines()
    assert (path.rpartition("/")[2], headline) == (f"{name}.jsonl", "model default_model")
    assert max(map(len, rest)) <= 80


@pytest.mark.parametrize("name", BY_HAND)
def test_a_recording_tells_its_models_and_tools_by_name(name: str) -> None:
    traces = read_traces(read_source(str(FOLDER / f"{name}.jsonl")))
    spans, role = traces.forest.spans, traces.calls.role
    chats = [spans[key] for key in traces.forest.order if role[key] is Role.CHAT]
    tools = [spans[key] for key in traces.forest.order if role[key] is Role.TOOL]
    assert {semconv.text(span.attributes, semconv.REQUEST_MODEL) for span in chats} == {"default_model"}
    names = tuple(semconv.text(span.attributes, semconv.TOOL_NAME) for span in tools)
    assert names == BY_HAND[name].tools
