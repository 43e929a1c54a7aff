"""Calls whose spans stay open while their caller runs tools and agents: that time is not the model's."""

from __future__ import annotations

from small_traces import agent, chat, only, phases_ms, post, server, span, tool


def test_the_time_of_a_tool_in_an_open_call_is_the_tool_s() -> None:
    query = only(
        agent("a", None, 0, 100), chat("c", "a", 0, 60), tool("t", "c", 20, 50), chat("d", "a", 60, 95)
    )
    assert phases_ms(query) == {"model": 20 + 10 + 35, "tool": 30, "framework": 5}
    assert (query.model_requests, query.tool_calls, query.output_tokens) == (2, 1, 2)
    assert sum(query.ledger.contested_ns.values()) == 0


def test_tools_side_by_side_and_after_the_call_take_only_their_own_time() -> None:
    tools = tool("t", "c", 20, 40), tool("u", "c", 30, 50), tool("v", "c", 60, 80)
    query = only(agent("a", None, 0, 100), chat("c", "a", 0, 60), *tools)
    assert phases_ms(query) == {"model": 20 + 10, "tool": 30 + 20, "framework": 20}


def test_an_agent_in_an_open_call_asks_for_itself() -> None:
    query = only(
        *(agent("a", None, 0, 100), chat("c", "a", 0, 100), tool("transfer", "c", 30, 31)),
        *(agent("b", "c", 31, 99), chat("d", "b", 32, 90)),
    )
    assert (query.model_requests, query.input_tokens, query.output_tokens) == (2, 20, 2)
    assert phases_ms(query) == {"model": 30 + 58 + 1, "tool": 1, "framework": 10}


def test_an_agent_that_a_server_runs_for_a_call_shows_that_call() -> None:
    query = only(
        *(agent("a", None, 0, 100), chat("c", "a", 0, 90), post("p", "c", 0, 90)),
        *(server("s", "p", 1, 89), agent("b", "s", 1, 89), chat("d", "b", 2, 88)),
    )
    assert query.model_requests == 1


def test_a_call_s_span_around_a_whole_run_is_no_request_beside_it() -> None:
    run = agent("a", "c", 0.5, 99.5), chat("d", "a", 1, 90)
    query = only(span("root", None, 0, 100), chat("c", "root", 0, 100), *run)
    assert (query.model_requests, query.input_tokens, query.output_tokens) == (1, 10, 1)
    assert phases_ms(query) == {"model": 89, "framework": 11}


def test_what_tells_more_of_a_call_stays_as_it_is() -> None:
    inner = agent("a", None, 0, 100), chat("c", "a", 0, 60), chat("i", "c", 0, 20, {}), tool("t", "c", 20, 55)
    assert phases_ms(only(*inner)) == {"model": 20, "tool": 35, "framework": 45}
    decode = span("decode", "c", 5, 20, {"punie.phase": "decode"})
    told = agent("a", None, 0, 100), chat("c", "a", 0, 60), decode, tool("t", "c", 20, 55)
    assert phases_ms(only(*told)) == {"decode": 15, "tool": 35, "framework": 50}


def test_parents_in_a_circle_end_the_search() -> None:
    circle = span("x", "y", 10, 20), span("y", "x", 10, 20), tool("t", "x", 12, 14)
    query = only(agent("a", None, 0, 100), chat("c", "a", 0, 60), *circle)
    assert phases_ms(query)["model"] >= 58
