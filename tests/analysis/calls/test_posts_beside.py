"""POSTs that hang beside the call that they are attempts of."""

from __future__ import annotations

from small_traces import agent, chat, findings, only, phases_ms, post

from punie.trace.model import Span

URL = "https://models.example/v1/chat/completions"


def attempt(name: str, start: float, end: float, status: int) -> Span:
    return post(name, "a", start, end, URL, said={"http.response.status_code": status})


RUN = (agent("a", None, 0, 100), chat("c", "a", 0, 90))
REFUSED, ANSWERED = attempt("one", 10, 20, 429), attempt("two", 40, 85, 200)


def test_an_attempt_that_was_refused_beside_its_call_is_retry() -> None:
    spans = (*RUN, REFUSED, ANSWERED)
    query = only(*spans)
    assert phases_ms(query) == {"model": 45, "retry": 10, "framework": 45}
    assert (query.model_requests, query.input_tokens) == (1, 10)
    assert findings(*spans) == {}


def test_without_a_failure_or_an_answer_beside_it_a_call_is_the_model_s_time() -> None:
    assert phases_ms(only(*RUN, attempt("one", 10, 20, 200), ANSWERED))["model"] == 90
    assert phases_ms(only(*RUN, REFUSED))["model"] == 90


def test_of_two_calls_at_once_it_is_open_which_one_was_tried_again() -> None:
    other = chat("d", "a", 0, 90)
    assert phases_ms(only(*RUN, other, REFUSED, ANSWERED))["model"] == 90
