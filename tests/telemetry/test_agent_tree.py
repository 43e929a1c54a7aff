"""The tree of a real agent's run over a real HTTP connection."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, TextOutput
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelAPIError, ModelRetry
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_graph import End

import punie.trace
from punie.trace.telemetry.agent.cut_streams import CUT_STREAMS
from punie.trace.telemetry.http.transports import uninstrument_http
from punie.trace.telemetry.instrument import every_agent_instrumented, instrument, uninstrument
from punie.trace.telemetry.provider import Telemetry
from punie.trace.telemetry.query import QueryLabels, query_span
from punie.trace.workload.transcript import read_answer

# The fixtures' own types live in conftest.py, which test modules can't import.
Spans = Callable[[], list[Any]]
Stub = Any
Replies = Any
MakeReply = Any

pytestmark = pytest.mark.anyio


def make_agent(url: str, *, max_retries: int = 0, **options: Any) -> Agent[None, Any]:  # noqa: ANN401 # Agent's
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=max_retries)
    model = OpenAIChatModel("stub", provider=OpenAIProvider(openai_client=client))
    agent: Agent[None, Any] = Agent(model, name="helper", instructions="Be brief.", **options)

    @agent.tool_plain
    def lookup(key: str) -> str:
        return f"value of {key}"

    return agent


async def drain(_context: object, events: AsyncIterable[object]) -> None:
    async for _ in events:
        pass


@pytest.fixture(autouse=True)
def restored_transports(telemetry: Telemetry) -> Iterator[None]:
    yield
    uninstrument_http(telemetry)


def tree(spans: list[Any]) -> list[tuple[str, str | None]]:
    """Names with their parents' names, without what is read off a stream: that depends on how it was cut."""
    names = {
        span.span_id: span.name for span in spans if span.attributes.get("punie.phase.provenance") != "stream"
    }
    spans = [span for span in spans if span.span_id in names]
    return sorted((span.name, names[span.parent_id] if span.parent_id else None) for span in spans)


TURN = [("POST", "chat stub"), ("chat stub", "invoke_agent helper"), ("parse", "chat stub")]
ROOTS = [("invoke_agent helper", "query"), ("query", None)]
# Ids, and what they stand in.
MADE_ANEW = {
    "punie.query.name",
    "gen_ai.agent.call.id",
    "gen_ai.conversation.id",
    "gen_ai.tool.call.id",
    "gen_ai.client.operation.time_to_first_chunk",
    "server.port",
}
LABELS = QueryLabels(run_id="r", query_id="q", text="look up a")


async def test_a_tool_call_and_an_answer(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.call("lookup", '{"key": "a"}'), openai_replies.text("done")]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with query_span(telemetry, LABELS):
        assert (await agent.run("look up a")).output == "done"
    tool = [("execute_tool lookup", "invoke_agent helper"), ("parse", "invoke_agent helper")]
    assert tree(spans()) == sorted([*TURN, *TURN, *tool, *ROOTS])
    assert len({span.trace_id for span in spans()}) == 1


async def test_decoding_is_measured_from_the_last_byte(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.streamed(["one ", "two"], pause_s=0.03)]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with query_span(telemetry, LABELS):
        assert (await agent.run("count", event_stream_handler=drain)).output == "one two"
    assert tree(spans()) == sorted([*TURN, *ROOTS])
    by_name = {span.name: span for span in spans()}
    post, parse, chat = by_name["POST"], by_name["parse"], by_name["chat stub"]
    assert parse.start_ns == post.end_ns
    assert parse.end_ns <= chat.end_ns
    assert post.end_ns - post.start_ns >= 120_000_000  # four pauses
    assert (parse.attributes["punie.phase"], parse.attributes["punie.phase.provenance"]) == (
        "parse",
        "client",
    )
    assert post.attributes["punie.http.events"] == 3


async def test_run_stream_gives_the_same_tree(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.streamed(["one ", "two"])]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with query_span(telemetry, LABELS):
        async with agent.run_stream("count") as result:
            assert await result.get_output() == "one two"
    assert tree(spans()) == sorted([*TURN, *ROOTS])


async def test_the_librarys_own_retries_are_seen(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies, make_reply: MakeReply
) -> None:
    stub.script = [
        make_reply(status=503, headers=(("retry-after-ms", "20"),)),
        openai_replies.text("at last"),
    ]
    agent = make_agent(stub.url, max_retries=1)
    instrument(agent, telemetry=telemetry)
    with query_span(telemetry, LABELS):
        assert (await agent.run("hello")).output == "at last"
    failed = [("POST", "chat stub"), ("retry wait", "chat stub")]
    assert tree(spans()) == sorted([*TURN, *failed, *ROOTS])


async def test_wrong_arguments_and_structured_output_are_parsed(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    class City(BaseModel):
        name: str

    stub.script = [
        openai_replies.call("lookup", '{"wrong": "secret"}'),
        openai_replies.call("final_result", '{"name": "Oslo"}'),
    ]
    agent = make_agent(stub.url, output_type=City)
    instrument(agent, telemetry=telemetry)
    with query_span(telemetry, LABELS):
        assert (await agent.run("where?")).output == City(name="Oslo")
    validations = [
        span
        for span in spans()
        if span.name == "parse" and span.parent_id == named(spans(), "invoke_agent helper").span_id
    ]
    refused = validations[0]
    assert (refused.status, refused.attributes["error.type"]) == (2, "ValidationError")
    assert len(validations) >= 2
    assert all("secret" not in str(span) for span in validations)


def named(spans: list[Any], name: str) -> Any:  # noqa: ANN401 # a span read back
    return next(span for span in spans if span.name == name)


async def test_digests_find_the_first_message_that_differs(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.call("lookup", '{"key": "a"}'), openai_replies.text("done")]
    stub.script += [openai_replies.text("other")]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    await agent.run("look up a")
    await agent.run("look up b")
    first, second, other = [span for span in spans() if span.name == "chat stub"]
    digests = [span.attributes["punie.message.digests"] for span in (first, second, other)]
    lengths = [span.attributes["punie.message.lengths"] for span in (first, second, other)]
    assert digests[1][:2] == digests[0]  # a turn repeats the one before
    assert len(digests[1]) == 4  # preamble, question, call, result
    assert digests[2][0] == digests[0][0]
    assert digests[2][1] != digests[0][1]
    assert [len(found) for found in lengths] == [len(found) for found in digests]


async def test_content_is_recorded_locally(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.text("the answer")]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    await agent.run("the question")
    chat = named(spans(), "chat stub")
    assert "the question" in chat.attributes["gen_ai.input.messages"]
    assert "the answer" in chat.attributes["gen_ai.output.messages"]
    assert (chat.attributes["gen_ai.usage.input_tokens"], chat.attributes["gen_ai.usage.output_tokens"]) == (
        7,
        3,
    )


async def test_a_failed_request_leaves_a_whole_tree(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(status=400)]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with pytest.raises(Exception, match="400"), query_span(telemetry, LABELS):
        await agent.run("hello")
    expected = [("POST", "chat stub"), ("chat stub", "invoke_agent helper"), *ROOTS]
    assert tree(spans()) == sorted(expected)


async def test_twice_is_once_and_undone_is_none(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.text("a"), openai_replies.text("b")]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    instrument(agent, telemetry=telemetry)
    await agent.run("hello")
    assert sorted(span.name for span in spans()) == ["POST", "chat stub", "invoke_agent helper", "parse"]
    uninstrument(agent)
    await agent.run("hello")
    assert len(spans()) == 4


async def test_an_agent_with_instrumentation_of_its_own_is_recorded_once(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    stub.script = [openai_replies.text("a")]
    agent = make_agent(stub.url, capabilities=[Instrumentation()])
    instrument(agent, telemetry=telemetry)
    await agent.run("hello")
    assert sorted(span.name for span in spans()) == ["POST", "chat stub", "invoke_agent helper", "parse"]


async def test_a_tools_own_requests_hang_under_the_tool(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies, make_reply: MakeReply
) -> None:
    stub.script = [openai_replies.call("fetch", "{}"), make_reply(), openai_replies.text("done")]
    agent = make_agent(stub.url)

    @agent.tool_plain
    async def fetch() -> str:
        async with httpx.AsyncClient() as client:
            return (await client.post(stub.url)).text

    instrument(agent, telemetry=telemetry)
    await agent.run("fetch it")
    assert ("POST", "execute_tool fetch") in tree(spans())


async def test_what_is_said_of_a_run_is_what_pydantic_ai_says_of_it(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    """Ours beside PydanticAI's own, which an agent keeps that has it already."""
    script = [openai_replies.call("lookup", '{"key": "a"}'), openai_replies.text("done")]
    for own in ([], [Instrumentation()]):
        stub.script = list(script)
        agent = make_agent(stub.url, capabilities=own, model_settings={"temperature": 0.5, "max_tokens": 9})
        instrument(agent, telemetry=telemetry)
        await agent.run("look up a")
    for name in ("chat stub", "invoke_agent helper", "execute_tool lookup"):
        found = [dict(span.attributes) for span in spans() if span.name == name]
        ours, theirs = found[: len(found) // 2], found[len(found) // 2 :]
        for mine, other in zip(ours, theirs, strict=True):
            left_out = {
                key for key in other.keys() - mine.keys() if not key.startswith(("logfire.", "pydantic_ai."))
            }
            assert left_out <= {"gen_ai.system", "model_name", "agent_name", "gen_ai.system_instructions"}
            assert mine.keys() - other.keys() <= {
                "gen_ai.request.model"
            }  # the agent's: theirs is `model_name`
            for key in (mine.keys() & other.keys()) - MADE_ANEW:
                assert mine[key] == other[key], key


@pytest.mark.parametrize(
    "raised", [ModelRetry("not so"), CallDeferred(), ApprovalRequired(), ValueError("broken")]
)
async def test_a_tool_that_gives_nothing_says_what_pydantic_ai_says(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies, raised: Exception
) -> None:
    for own in ([], [Instrumentation()]):
        stub.script = [openai_replies.call("ask", "{}"), openai_replies.text("done")]
        agent = make_agent(stub.url, capabilities=own, output_type=[str, DeferredToolRequests])

        @agent.tool_plain
        def ask() -> str:
            raise raised

        instrument(agent, telemetry=telemetry)
        try:
            await agent.run("ask")
        except ValueError as error:
            assert error is raised  # noqa: PT017 # one of the cases
    ours, theirs = (span for span in spans() if span.name == "execute_tool ask")
    result = "gen_ai.tool.call.result"
    assert (ours.status, len(ours.events)) == (theirs.status, len(theirs.events))
    assert ours.attributes.get(result) == theirs.attributes.get(result)
    assert ours.attributes.get("pydantic_ai.tool.deferral.name") == theirs.attributes.get(
        "pydantic_ai.tool.deferral.name"
    )


async def test_a_run_that_fails_says_what_it_was_asked(
    telemetry: Telemetry, spans: Spans, stub: Stub, make_reply: MakeReply
) -> None:
    stub.script = [make_reply(status=400)]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with pytest.raises(Exception, match="400"):
        await agent.run("the question")
    chat, run = named(spans(), "chat stub"), named(spans(), "invoke_agent helper")
    assert "the question" in chat.attributes["gen_ai.input.messages"]
    assert (chat.status, run.status) == (2, 2)
    assert chat.attributes["error.type"] == run.attributes["error.type"] == "ModelRequestRejectedError"
    assert [event["name"] for event in chat.events] == ["exception"]


async def test_an_answer_that_was_cut_off_is_a_failed_run(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    reply = openai_replies.streamed(["half", " an"])
    stub.script = [replace(reply, chunks=reply.chunks[:-2])]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with CUT_STREAMS.inside() as cut:
        assert (await agent.run("count", event_stream_handler=drain)).output == "half an"
    assert cut == ["stub"]
    for name in ("POST", "chat stub", "invoke_agent helper"):
        span = named(spans(), name)
        assert (span.status, span.attributes["error.type"]) == (2, "IncompleteStream"), name


@pytest.mark.parametrize(
    ("refusal", "error"), [({"status": 429}, "429"), ({"hang_up": True}, "RemoteProtocolError")]
)
async def test_a_streamed_request_that_failed_is_a_failed_call(
    refusal: dict[str, Any],
    error: str,
    telemetry: Telemetry,
    spans: Spans,
    stub: Stub,
    make_reply: MakeReply,
) -> None:
    stub.script = [make_reply(**refusal)]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with pytest.raises(ModelAPIError):
        await agent.run("count", event_stream_handler=drain)
    chat = named(spans(), "chat stub")
    assert (chat.status, chat.attributes["error.type"]) == (2, error)


async def test_a_run_that_its_caller_left_is_no_answered_one(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    streamed = openai_replies.streamed(["a", "b"])
    stub.script = [openai_replies.call("wait", "{}"), streamed, streamed, openai_replies.text("c")]
    agent = make_agent(stub.url)
    waits = asyncio.Event()

    @agent.tool_plain
    async def wait() -> None:
        waits.set()
        await asyncio.sleep(60)

    instrument(agent, telemetry=telemetry)
    running = asyncio.create_task(agent.run("left"))
    await waits.wait()
    running.cancel()
    await asyncio.wait([running])
    async with agent.run_stream("read to its end") as result:
        async for _ in result.stream_text(delta=True):
            pass
    async with agent.run_stream("left at a word") as result:
        async for _ in result.stream_text():
            break
    async with agent.iter("left with its result") as run:
        async for node in run:
            if isinstance(node, End):
                break
    found = (span for span in spans() if span.name == "invoke_agent helper")
    runs = {span.attributes["punie.query.text"]: span.attributes.get("error.type") for span in found}
    left = dict.fromkeys(("left", "left at a word"), "CancelledError")
    assert runs == {**left, "read to its end": None, "left with its result": None}


async def test_a_finish_reason_that_pydantic_ai_does_not_know_is_kept(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    reply = openai_replies.streamed(["half", " an"])
    stub.script = [
        replace(reply, chunks=[piece.replace(b'"stop"', b'"max_tokens"') for piece in reply.chunks])
    ]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    result = await agent.run("count", event_stream_handler=drain)
    assert named(spans(), "chat stub").attributes["gen_ai.response.finish_reasons"] == ["max_tokens"]
    assert read_answer(result.all_messages(), result.output).finish_reasons == ("max_tokens",)


@pytest.mark.parametrize("reason", [b"abort", b"error"])
async def test_an_answer_that_its_server_gave_up_is_a_failed_run(
    reason: bytes, telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    (body,) = openai_replies.text("half an").chunks
    stub.script = [replace(openai_replies.text(""), chunks=[body.replace(b'"stop"', b'"%s"' % reason)])]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    with CUT_STREAMS.inside() as cut:
        await agent.run("count")
    assert cut == ["stub"]
    assert named(spans(), "chat stub").attributes["error.type"] == "IncompleteStream"


SO_FAR = [(50, 1), (50, 2), (50, 3), (50, 4)]
ITS_OWN = [(50, 1), (0, 1), (0, 1), (0, 1)]


@pytest.mark.parametrize("reported", [SO_FAR, ITS_OWN], ids=["what was used so far", "what each one used"])
async def test_usage_that_every_chunk_tells_is_counted_once(
    reported: list[tuple[int, int]],
    telemetry: Telemetry,
    spans: Spans,
    stub: Stub,
    openai_replies: Replies,
) -> None:
    reply = openai_replies.streamed(["one ", "two ", "three"])
    usages = iter(reported)

    def with_usage(piece: bytes) -> bytes:
        if not piece.startswith(b"data: {"):
            return piece
        prompt, output = next(usages)
        usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": 0}
        return b"data: " + json.dumps(json.loads(piece[6:]) | {"usage": usage}).encode() + b"\n\n"

    stub.script = [replace(reply, chunks=[with_usage(piece) for piece in reply.chunks])]
    agent = make_agent(stub.url)
    instrument(agent, telemetry=telemetry)
    await agent.run("count", event_stream_handler=drain)
    for name in ("chat stub", "invoke_agent helper"):
        attributes = named(spans(), name).attributes
        counts = {key: value for key, value in attributes.items() if key.endswith("put_tokens")}
        assert set(counts.values()) == {50, 4}, (name, counts)


async def test_spans_of_another_provider_around_ours_hide_none_of_ours(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    """The user's own spans, whose provider isn't ours, around the run, and around requests of tool and model."""
    theirs = TracerProvider(shutdown_on_exit=False)
    tracer = theirs.get_tracer("theirs")
    http = HTTPX2ClientInstrumentor()
    stub.script = [openai_replies.call("fetch", "{}"), openai_replies.text("x"), openai_replies.text("done")]
    agent = make_agent(stub.url)

    @agent.tool_plain
    async def fetch() -> str:
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            async with httpx2.AsyncClient() as client:
                return (await client.post(stub.url)).text

    instrument(agent, telemetry=telemetry)
    http.instrument(tracer_provider=theirs)
    try:
        with query_span(telemetry, LABELS), tracer.start_as_current_span("around"):
            await agent.run("fetch it")
    finally:
        http.uninstrument()
    expected = {("POST", "execute_tool fetch"), ("POST", "chat stub"), ("invoke_agent helper", "query")}
    assert expected <= set(tree(spans()))
    assert {span.trace_id for span in spans()} == {named(spans(), "query").trace_id}
    assert not [span for span in spans() if span.name in ("outer", "inner", "around")]


async def test_one_line_and_no_more(
    tmp_path: Path, stub: Stub, openai_replies: Replies, read: Callable[[Path], list[Any]]
) -> None:
    stub.script = [openai_replies.text("a"), openai_replies.text("b")]
    agent, another = make_agent(stub.url), make_agent(stub.url)
    telemetry = instrument(agent, journal_dir=tmp_path / "mine")
    assert instrument(another, journal_dir=tmp_path / "mine") is telemetry
    try:
        await agent.run("hello")
        await another.run("hello")
        names = [span.name for span in read(telemetry.journal.path)]
        assert names.count("invoke_agent helper") == 2
    finally:
        uninstrument_http(telemetry)
        telemetry.shutdown()
    renewed = instrument(agent, journal_dir=tmp_path / "mine")
    assert renewed is not telemetry
    uninstrument_http(renewed)
    renewed.shutdown()


async def test_every_agent_of_the_process_is_seen_in_one_trace(
    tmp_path: Path, telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies
) -> None:
    """One agent is instrumented, asks another one in a tool, and that one writes elsewhere by its author's will."""
    stub.script = [
        openai_replies.call("delegate", "{}"),
        openai_replies.text("inner answer"),
        openai_replies.text("done"),
        openai_replies.text("elsewhere"),
    ]
    inner, outer = make_agent(stub.url), make_agent(stub.url)
    users = instrument(inner, journal_dir=tmp_path / "users")

    @outer.tool_plain
    async def delegate() -> str:
        return str((await inner.run("inner question")).output)

    instrument(outer, telemetry=telemetry)
    with every_agent_instrumented(telemetry), query_span(telemetry, LABELS):
        assert (await outer.run("outer question")).output == "done"
    assert ("invoke_agent helper", "execute_tool delegate") in tree(spans())
    assert [name for name, _ in tree(spans())].count("chat stub") == 3
    assert len({span.trace_id for span in spans()}) == 1
    assert not users.journal.path.exists()
    await inner.run("afterwards")
    assert users.journal.status.written == 4
    uninstrument_http(users)
    users.shutdown()


@pytest.mark.parametrize("own", [[], [Instrumentation()]], ids=["ours", "beside"])
async def test_a_run_that_nothing_surrounds_has_a_name_that_a_person_knows(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies, own: list[Any]
) -> None:
    stub.script = [openai_replies.text("a"), openai_replies.text("b")]
    agent = make_agent(stub.url, capabilities=own)
    instrument(agent, telemetry=telemetry)
    await agent.run("Where is the class Settings defined, and who reads it first?")
    with query_span(telemetry, LABELS):
        await agent.run("in a query of ours")
    alone, inside = (span.attributes for span in spans() if span.name == "invoke_agent helper")
    assert re.fullmatch(r"helper \d\d:\d\d:\d\d\.\d{3}", alone["punie.query.name"])
    assert "punie.query.name" not in inside
    report = punie.trace.analyse(telemetry.journal.path)
    name = alone["punie.query.name"]
    (query,) = (record for record in report.analysis.records if record.query_id != "q")
    assert query.query_id == f"{name} Where is the class Settings defined,…"


def endless(_text: str) -> Any:  # noqa: ANN401 # what no type describes
    found: list[object] = ["\ud800"]  # for which the first writer gives way to the second
    found.append(found)
    return found


async def test_what_has_no_text_changes_nothing_but_the_span(
    telemetry: Telemetry, spans: Spans, stub: Stub, openai_replies: Replies, caplog: pytest.LogCaptureFixture
) -> None:
    stub.script = [openai_replies.text("a")]
    agent = make_agent(stub.url, output_type=TextOutput(endless))
    instrument(agent, telemetry=telemetry)
    output = (await agent.run("hello")).output
    assert output[1] is output
    assert named(spans(), "invoke_agent helper").status == 0
    assert "not known" in caplog.text
