"""The strict score over honest answers, which must pass, and over every kind of garbage, which must not."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie.trace.workload.scoring.answer import AgentAnswer, ToolCall
from punie.trace.workload.scoring.grounding import ungrounded
from punie.trace.workload.scoring.score import Failure, score
from punie.trace.workload.suite import ExpectAny, ExpectDirect, ExpectTool, SuiteQuery

GREP = """\
./accounts/serializers.py:12:class UserSerializer(serializers.ModelSerializer):
./api/views.py:7:from accounts.serializers import UserSerializer
./api/views.py:14:    serializer_class = UserSerializer"""
DEFS = """\
./blog/views.py:33:async def live_comments(request, slug):
./shop/checkout/flow.py:8:def start(request):
./shop/views.py:41:async def pay(request):
./shop/views.py:60:def checkout(request):"""
FILE = """\
from django.db import models


class Invoice(models.Model):
    total = models.IntegerField()

    def mark_paid(self):
        self.total = 0"""
CUT = "./a.py:1:x = Foo()\n./b.py:2:y = Foo()\n[truncated: showing 2 of 120 lines]"
NOTHING = "(no output, exit status 1)"


def asked(text: str) -> SuiteQuery:
    return SuiteQuery("q", text, ExpectTool(("run_command", "read_file"), "."))


def called(result: str | None, command: str = 'grep -rn "UserSerializer" .') -> ToolCall:
    return ToolCall("run_command", json.dumps({"command": command}), result)


def opened(result: str, path: str) -> ToolCall:
    return ToolCall("read_file", json.dumps({"path": path}), result)


USER = asked("Show me the implementation of UserSerializer")
VIEWS = asked("Find all Django view functions")
ASYNC = asked("Find all uses of async/await in the codebase")
MODELS = asked("Show me shop/models.py")

GOOD = [
    (USER, [called(GREP)], "UserSerializer is defined in ./accounts/serializers.py at line 12."),
    (
        USER,
        [called(GREP)],
        "`UserSerializer` lives in accounts/serializers.py:12 and is used in api/views.py (line 14).",
    ),
    (USER, [called(GREP)], "It is in serializers.py, line 12. Two lines in ./api/views.py use it."),
    (USER, [called(GREP)], "There are 3 matches in 2 files: ./accounts/serializers.py and ./api/views.py."),
    (USER, [called(GREP)], "I found three matches in two files, `./api/views.py` has 2 matches."),
    (USER, [called(GREP)], "The class UserSerializer inherits from `serializers.ModelSerializer`."),
    (USER, [called(GREP)], "```python\nclass UserSerializer(serializers.ModelSerializer):\n    ...\n```"),
    (USER, [called(GREP)], "1. ./accounts/serializers.py:12\n2. ./api/views.py:7\n3. ./api/views.py:14"),
    (
        USER,
        [called(GREP)],
        "UserSerializer, in the accounts/ folder, is a ModelSerializer of Django REST framework.",
    ),
    (USER, [called(GREP)], 'I ran `grep -rn "UserSerializer" .`: the class is in the "accounts" app.'),
    (USER, [called(GREP)], "accounts.serializers.UserSerializer is imported at line 7 of api/views.py."),
    (
        USER,
        [called(GREP)],
        "It's the UserSerializer class in Python, read/written as JSON, at accounts/serializers.py:12.",
    ),
    (VIEWS, [called(DEFS)], "The first match is in ./blog/views.py at line 33."),
    (
        VIEWS,
        [called(DEFS)],
        "There are four view functions: live_comments(), start, pay and checkout(request).",
    ),
    (
        VIEWS,
        [called(DEFS)],
        "checkout is defined in ./shop/views.py at line 60. Checkout is used in no other place.",
    ),
    (VIEWS, [called(DEFS)], "2 functions in ./shop/views.py take a request, others are in blog/views.py."),
    (
        ASYNC,
        [called(DEFS)],
        "async/await is used in two coroutines, e.g. `async def pay(request)` in ./shop/views.py.",
    ),
    (
        VIEWS,
        [called(DEFS)],
        "The views aren't class-based: `def start(request)` in shop/checkout/flow.py is a function.",
    ),
    (MODELS, [opened(FILE, "shop/models.py")], "The file defines the class Invoice."),
    (
        MODELS,
        [opened(FILE, "shop/models.py")],
        "shop/models.py has one class, Invoice, with one method, mark_paid().",
    ),
    (MODELS, [opened(FILE, "shop/models.py")], "`Invoice.mark_paid` sets `self.total` to 0."),
    (
        asked("Open that file"),
        [opened(FILE, "shop/models.py")],
        "The Invoice model is defined in shop/models.py.",
    ),
    (asked("Open that file"), [opened("X = 1", "shop/models.py")], "The file has no class and no function."),
    (
        asked("Where is Foo used?"),
        [called(CUT, "grep -rn Foo .")],
        "Foo is used in ./a.py at line 1; 120 lines match.",
    ),
    (asked("Where is Bar used?"), [called(NOTHING)], "The search found nothing."),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar is not used anywhere in the project: 0 matches."),
    (asked("Where is Bar used?"), [called(NOTHING)], "No matches."),
    (asked("How long is README.md?"), [called("12 README.md", "wc -l README.md")], "README.md has 12 lines."),
    (
        asked("How often?"),
        [called("./a.py:3\n./b.py:1", "grep -rc Foo .")],
        "There are 4 matches, 3 matches in ./a.py.",
    ),
    (
        asked("What is in shop?"),
        [called("cart.py\nmodels.py", "ls shop")],
        "It holds shop/cart.py and models.py.",
    ),
    (
        asked("Which Python files?"),
        [called("./a.py\n./b/c.py", "find . -name '*.py'")],
        "The first one is ./a.py of two.",
    ),
    (
        asked("Which Python files?"),
        [called("./a.py\n./b/c.py", "find . -name '*.py'")],
        "There are 2 Python files: a.py, c.py",
    ),
    (
        asked("Does it use Celery?"),
        [called("./a.py:1:import celery", "grep -rn celery .")],
        "Yes, it uses Celery.",
    ),
    (
        USER,
        [called("error: no"), called(GREP)],
        "UserSerializer is defined in ./accounts/serializers.py at line 12.",
    ),
    (
        asked("Lines with x"),
        [called("./a.py:4:x\n./a.py-5-y\n--\n./b-9-c.py:7:x")],
        "1 match in ./a.py, at line 4.",
    ),
    (
        USER,
        [called(GREP)],
        "It is not in api/views.py: UserSerializer is defined in ./accounts/serializers.py.",
    ),
    (USER, [called(GREP)], "UserSerializer isn't only used: it is defined in ./accounts/serializers.py."),
    (
        USER,
        [called(GREP)],
        "With run_command, I found it in ./accounts/serializers.py (read_file was not needed).",
    ),
    (USER, [called(GREP)], "I used run_command: it printed 3 lines, the first in ./accounts/serializers.py."),
    (asked("Where is Bar used?"), [called(NOTHING)], "I searched the project, but Bar is nowhere."),
    (asked("Where is Bar used?"), [called(NOTHING)], "I couldn\u2019t find it."),
    (asked("How many uses has Bar?"), [called(NOTHING)], "Zero."),
    (asked("Where is Bar used?"), [called(NOTHING)], "The project has no Bar."),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar is undefined here."),
    (
        USER,
        [called(GREP)],
        "UserSerializer is in ./accounts/serializers.py; neither a test nor a form uses it.",
    ),
    (asked("Is send_mail used?"), [called("./a.py:1:send_mail()")], "Yes, send_mail is used."),
    (
        USER,
        [called(GREP)],
        "It is in ./accounts/serializers.py; I'm not sure whether UserSerializer is needed elsewhere.",
    ),
    (
        asked("Which files do without UserSerializer?"),
        [called("./shop/views.py", "grep -rL UserSerializer .")],
        "./shop/views.py has no UserSerializer.",
    ),
    (
        asked("Which files are without a docstring?"),
        [called("./shop/views.py", "grep -rL doc .")],
        "In ./shop/views.py it is missing.",
    ),
    (asked("Where is Bar used?"), [called(NOTHING)], "There are no uses of Bar."),
    (asked("Where is Bar used?"), [called(NOTHING)], "I could not find Bar."),
]

BAD = [
    # invented or misspelled paths, folders, addresses
    (USER, [called(GREP)], "UserSerializer is defined in ./accounts/seralizers.py at line 12."),
    (USER, [called(GREP)], "UserSerializer is defined in ./users/serializers.py."),
    (USER, [called(GREP)], "UserSerializer is defined in ./serializers.py."),
    (USER, [called(GREP)], "UserSerializer is defined in /accounts/serializers.py."),
    (USER, [called(GREP)], "UserSerializer is defined in api/serializers.py."),
    (USER, [called(GREP)], "UserSerializer is in the billing/ folder."),
    (USER, [called(GREP)], "UserSerializer is in accounts/models."),
    (USER, [called(GREP)], "UserSerializer is in accounts/serializers.pyc or serializers.html."),
    (USER, [called(GREP)], "UserSerializer: see https://www.django-rest-framework.org/api-guide/serializers/"),
    (USER, [called(GREP)], "UserSerializer is in ../accounts/serializers.py"),
    # wrong lines: of another match, of another file, of none
    (USER, [called(GREP)], "UserSerializer is defined in ./accounts/serializers.py at line 14."),
    (USER, [called(GREP)], "UserSerializer is defined in ./accounts/serializers.py:7."),
    (USER, [called(GREP)], "UserSerializer is defined in ./accounts/serializers.py at line 120."),
    (USER, [called(GREP)], "UserSerializer is defined at line 1 of a file."),
    (MODELS, [opened(FILE, "shop/models.py")], "The class Invoice is in shop/models.py at line 4."),
    # invented symbols
    (USER, [called(GREP)], "UserSerialiser is defined in ./accounts/serializers.py at line 12."),
    (USER, [called(GREP)], "UserSerializer has the method get_full_name."),
    (USER, [called(GREP)], "UserSerializer calls validate() first."),
    (USER, [called(GREP)], "UserSerializer inherits from APIView."),
    (USER, [called(GREP)], "UserSerializer inherits from `serializers.HyperlinkedModelSerializer`."),
    (USER, [called(GREP)], "UserSerializer is in the \"billing\" app."),
    (USER, [called(GREP)], "```python\nclass UserSerializer(serializers.ModelSerializer):\n    fields = 1\n```"),
    (VIEWS, [called(DEFS)], "chekout is defined in ./shop/views.py at line 60."),
    (VIEWS, [called(DEFS)], "Shipocket is defined in ./shop/views.py at line 60."),
    (MODELS, [opened(FILE, "shop/models.py")], "The file defines the class Receipt."),
    (MODELS, [opened(FILE, "shop/models.py")], "The file defines the Receipt model."),
    (MODELS, [opened(FILE, "shop/models.py")], "`Invoice.mark_sent` is in the file."),
    # wrong counts
    (USER, [called(GREP)], "There are 4 matches, one in ./accounts/serializers.py."),
    (USER, [called(GREP)], "There are 12 matches, one in ./accounts/serializers.py."),
    (USER, [called(GREP)], "There are two matches of UserSerializer."),
    (USER, [called(GREP)], "UserSerializer occurs in three files."),
    (USER, [called(GREP)], "UserSerializer: 3 matches in ./api/views.py."),
    (VIEWS, [called(DEFS)], "There are five Django view functions in ./shop/views.py."),
    (MODELS, [opened(FILE, "shop/models.py")], "shop/models.py has two classes, Invoice among them."),
    (MODELS, [opened(FILE, "shop/models.py")], "The file defines no class and no function."),
    (asked("Where is Foo used?"), [called(CUT)], "Foo is used in 2 files."),
    (asked("Where is Foo used?"), [called(CUT)], "Foo has 2 matches, the first in ./a.py."),
    (asked("How long is README.md?"), [called("12 README.md")], "README.md has 13 lines."),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar has 1 match. That's not much."),
    # denied, passed over, claimed without a find
    (USER, [called(GREP)], "The search found nothing."),
    (USER, [called(GREP)], "UserSerializer was not found."),
    (USER, [called(GREP)], "I couldn't find UserSerializer in the project."),
    (USER, [called(GREP)], "No matches."),
    (USER, [called(GREP)], "Here are the results of the search."),
    (USER, [called(GREP)], "the the in of"),
    (USER, [called(GREP)], "!?"),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar is used in the project."),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar is not here but in ./shop/bar.py."),
    # a denial that names the right path, a "no" that says nothing of the search
    (USER, [called(GREP)], "It is not defined in accounts/serializers.py."),
    (USER, [called(GREP)], "UserSerializer isn't in ./accounts/serializers.py at line 12."),
    (USER, [called(GREP)], "I looked at ./api/views.py, but UserSerializer was not found there."),
    (USER, [called(GREP)], "I couldn\u2019t find UserSerializer (looked in ./accounts/serializers.py)."),
    (USER, [called(GREP)], "There is no UserSerializer class in ./accounts/serializers.py."),
    (USER, [called(GREP)], "./accounts/serializers.py lacks `UserSerializer`."),
    (USER, [called(GREP)], "I don't know where UserSerializer is defined."),
    (USER, [called(GREP)], "UserSerializer is missing from ./accounts/serializers.py."),
    (USER, [called(GREP)], "Neither ./accounts/serializers.py nor ./api/views.py defines UserSerializer."),
    (USER, [called(GREP)], USER.text),
    (asked("Where is Bar used?"), [called(NOTHING)], "There is no doubt that Bar is important."),
    (asked("Where is Bar used?"), [called(NOTHING)], "No problem, here is what you want."),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar is used everywhere, there are no matches elsewhere."),
    (asked("Where is Bar used?"), [called(NOTHING)], "Bar is not only used, it is central."),
    # what a failed call says backs nothing
    (USER, [called("error: no such file: ./shop/bar.py"), called(GREP)], "UserSerializer is in ./shop/bar.py."),
    (asked("Open it"), [called(NOTHING, "grep -rn x ./made/up.py")], "There is nothing in ./made/up.py"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "calls", "text"), GOOD)
def test_an_honest_answer_is_grounded(query: SuiteQuery, calls: list[ToolCall], text: str) -> None:
    result = score(query, AgentAnswer(text, tuple(calls), ("tool_call", "stop")))
    assert (result.ok, result.failures, result.details) == (True, (), ())
    assert all(result.checks.values())


@pytest.mark.parametrize(("query", "calls", "text"), BAD)
def test_what_is_made_up_denied_or_ignored_is_ungrounded(
    query: SuiteQuery, calls: list[ToolCall], text: str
) -> None:
    result = score(query, AgentAnswer(text, tuple(calls)))
    assert not result.ok
    assert result.failures in ((Failure.UNGROUNDED,), (Failure.NO_ANSWER,))
    assert len(result.details) == 1


def test_the_detail_names_what_is_made_up() -> None:
    result = score(USER, AgentAnswer("It is in ./users/serializers.py, as UserSerialiser.", (called(GREP),)))
    assert result.details == ("no tool returned ./users/serializers.py, UserSerialiser",)


TOOL = SuiteQuery("t", "Find it", ExpectTool(("run_command",), r"grep .*\bit\b"))
DIRECT = SuiteQuery(
    "d", "What is dependency injection?", ExpectDirect((("inject",), ("depend",), ("pass", "give")))
)
FOUND = "./a.py:1:it = 1"
DIRECT_TEXT = "Dependency injection passes objects in from outside."


def call(arguments: str, *, name: str = "run_command", result: str | None = FOUND) -> ToolCall:
    return ToolCall(name, arguments, result)


SOUND = call('{"command": "grep -rn it ."}')


@pytest.mark.parametrize(
    ("calls", "failures", "failed_checks"),
    [
        ([SOUND], (), ()),
        ([call('{"path": "a.py"}', name="read_file"), SOUND], (), ()),
        ([SOUND, call('{"command": "ls"}', result="error: no")], (), ()),
        ([], ("wrong-choice",), ("choice", "tool", "arguments", "tool-result")),
        (
            [call('{"command": "grep it"}', name="search")],
            ("wrong-tool",),
            ("tool", "arguments", "tool-result"),
        ),
        ([call('{"command": "grep -rn item ."}')], ("unsound-arguments",), ("arguments", "tool-result")),
        ([call('{"command": "ls"}')], ("unsound-arguments",), ("arguments", "tool-result")),
        ([call('{"command": "grep -rn it .')], ("unsound-arguments",), ("arguments", "tool-result")),
        ([call('["grep it"]')], ("unsound-arguments",), ("arguments", "tool-result")),
        ([call("")], ("unsound-arguments",), ("arguments", "tool-result")),
        ([SOUND, call("{")], ("unsound-arguments",), ("arguments", "tool-result")),
    ],
)
def test_the_choice_of_tool_and_arguments(
    calls: list[ToolCall], failures: tuple[str, ...], failed_checks: tuple[str, ...]
) -> None:
    result = score(TOOL, AgentAnswer("It is in ./a.py at line 1.", tuple(calls), ("stop",)))
    assert result.failures == failures
    assert tuple(name for name, passed in result.checks.items() if not passed) == failed_checks


@pytest.mark.parametrize("result", ["error: refused", "error:", None])
def test_a_sound_call_that_failed(result: str | None) -> None:
    answer = AgentAnswer("The tool reported an error.", (call(SOUND.arguments_json, result=result),))
    assert score(TOOL, answer).failures == ("tool-error",)


@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        (AgentAnswer(DIRECT_TEXT), ()),
        (AgentAnswer("DEPENDENCIES are INJECTED: give an object what it needs."), ()),
        (AgentAnswer(DIRECT_TEXT, (SOUND,)), ("wrong-choice", "ungrounded")),
        (AgentAnswer("Injection depends."), ("off-topic",)),
        (AgentAnswer("An independent bypass with reinjection."), ("off-topic",)),
        (AgentAnswer("Django is a web framework."), ("off-topic",)),
        (AgentAnswer("What is dependency injection?"), ("off-topic",)),
        (AgentAnswer("You asked: What is dependency injection? Please tell me."), ("off-topic",)),
        (AgentAnswer("I don't know what dependency injection is; pass."), ("no-answer",)),
        (AgentAnswer("Sorry, I can't help with dependency injection; pass on that."), ("no-answer",)),
        (AgentAnswer("I am not familiar with dependency injection, give me more."), ("no-answer",)),
        (AgentAnswer("I have no idea what is injected, passed or depends."), ("no-answer",)),
        (AgentAnswer("Give it up: I know too little about dependency injection."), ("no-answer",)),
        (AgentAnswer("I\u2019m unable to give the meaning of dependency injection."), ("no-answer",)),
        (AgentAnswer("Dependency injection? I couldn't say, give me a hint."), ("no-answer",)),
        (AgentAnswer("I haven't a clue what is injected, passed or depends."), ("no-answer",)),
        (AgentAnswer("What is injected or passed and what depends is unclear to me."), ("no-answer",)),
        (
            AgentAnswer(
                "Dependencies are injected: passed in. If you are not sure, begin with the constructor."
            ),
            (),
        ),
        (
            AgentAnswer(
                "Dependency injection: pass objects in, so that a class need not know how they are made."
            ),
            (),
        ),
        (
            AgentAnswer(
                "I would say that dependency injection passes objects in. You don't need to know more."
            ),
            (),
        ),
        (AgentAnswer(None), ("no-answer",)),
        (AgentAnswer(" \n"), ("no-answer",)),
        (AgentAnswer("..."), ("no-answer",)),
        (AgentAnswer(DIRECT_TEXT, finish_reasons=("stop",)), ()),
        (AgentAnswer(DIRECT_TEXT, finish_reasons=("length",)), ("truncated",)),
        (AgentAnswer(DIRECT_TEXT, finish_reasons=("stop", "max_tokens")), ("truncated",)),
        (AgentAnswer(None, finish_reasons=("length",)), ("no-answer", "truncated")),
        (AgentAnswer(f"{DIRECT_TEXT} and so on and so on and so on and so on"), ("degenerate",)),
        (AgentAnswer("inject depend pass " * 4), ("degenerate",)),
        (AgentAnswer(f"{DIRECT_TEXT} It is good, good, good design."), ()),
    ],
)
def test_direct_answers(answer: AgentAnswer, failures: tuple[str, ...]) -> None:
    assert score(DIRECT, answer).failures == failures


@pytest.mark.parametrize(
    "leak",
    [
        '<tool_call>{"name": "run_command", "arguments": {"command": "ls"}}</tool_call>',
        "<tool_call>",
        "</tool_call>",
        "tool_call>",
        '{"name": "run_command", "arguments": {"command": "ls"}}',
        '"arguments": {"command": "ls"}',
        "'arguments': {'command': 'ls'}",
        '{"name": "search", "arguments": "{}"}',
        '{"name": "search", "parameters": {"q": 1}}',
        "run_command(command='ls')",
        'read_file{"path": "a.py"}',
        "`run_command`: ls",
        "<|im_start|>assistant",
        "<|im_end|>",
        "<|endoftext|>",
        "<tool_response>",
        "<function=run_command>",
        "[TOOL_CALLS]",
        "</think>",
    ],
)
def test_tool_call_text_may_not_leak_into_an_answer(leak: str) -> None:
    assert Failure.TOOL_CALL_LEAK in score(DIRECT, AgentAnswer(f"{DIRECT_TEXT} {leak}")).failures
    assert Failure.TOOL_CALL_LEAK in score(TOOL, AgentAnswer(f"It is in ./a.py. {leak}", (SOUND,))).failures


@pytest.mark.parametrize(
    "honest",
    [
        "The constructor's arguments: whatever the class depends on.",
        'A view may return {"name": "Ann", "age": 3} as JSON.',
        "Call a <tool> or a tool call, <i>not</i> both.",
        "With run_command, or read_file (a tool), nobody has to look.",
        "run_command: it runs a program.",
        "a | b and <| c",
    ],
)
def test_honest_text_is_no_leak(honest: str) -> None:
    assert score(DIRECT, AgentAnswer(f"{DIRECT_TEXT} {honest}")).ok


def test_every_failure_is_reached_and_documented_by_name() -> None:
    reached = {"no-answer", "wrong-choice", "wrong-tool", "unsound-arguments", "tool-error", "off-topic"}
    reached |= {"tool-call-leak", "degenerate", "ungrounded", "truncated"}
    assert {failure.value for failure in Failure} == reached


def test_arguments_are_searched_in_one_form() -> None:
    assert ToolCall("t", '{"b":"\\u00e9",\n"a":[1]}', None).arguments == '{"a": [1], "b": "é"}'
    assert ToolCall("t", "3", None).arguments is None


WORDS = st.sampled_from(
    [*" ".join(text for _, _, text in GOOD + BAD).split(), "`", "```", "\n", "(", "1", "./", "of"]
)
ANSWERS = st.lists(WORDS | st.text(max_size=5), max_size=25).map(" ".join)


@given(
    text=ANSWERS, result=st.sampled_from([GREP, DEFS, FILE, CUT, NOTHING, "error: no"]) | st.text(max_size=30)
)
def test_ok_is_exactly_no_failure(text: str, result: str) -> None:
    judged = score(USER, AgentAnswer(text, (called(result),)))
    assert judged.ok == (not judged.failures) == all(judged.checks.values())
    assert len(judged.details) == len(judged.failures)


@given(name=st.from_regex(r"[a-z]{3,8}/[a-z]{4,8}\.py", fullmatch=True), line=st.integers(1, 10**6))
def test_an_invented_place_never_passes(name: str, line: int) -> None:
    for text in (
        f"UserSerializer is in ./zz{name}.",
        f"UserSerializer is in ./accounts/serializers.py:{line + 12}.",
    ):
        assert score(USER, AgentAnswer(text, (called(GREP),))).failures == ("ungrounded",)


@given(position=st.integers(0, 27), letter=st.sampled_from("abcxyz_0"))
def test_one_wrong_letter_in_a_path_is_seen(position: int, letter: str) -> None:
    path = "./accounts/serializers.py"
    wrong = path[:position] + letter + path[position + 1 :]
    if wrong != path and position < len(path):
        result = score(
            USER, AgentAnswer(f"UserSerializer is defined in {wrong} at line 12.", (called(GREP),))
        )
        assert result.failures == ("ungrounded",)


@given(position=st.integers(1, 13), letter=st.sampled_from("abcxyzABC_0"))
def test_one_wrong_letter_in_a_name_is_seen(position: int, letter: str) -> None:
    wrong = "UserSerializer"[:position] + letter + "UserSerializer"[position + 1 :]
    result = score(
        USER, AgentAnswer(f"{wrong} is defined in ./accounts/serializers.py at line 12.", (called(GREP),))
    )
    assert result.failures == ("ungrounded",) or wrong == "UserSerializer"


@pytest.mark.parametrize("token", [".", "a", "a/", "a_", "aB", "a.b", "x.py", "`"])
def test_an_endless_word_is_judged_at_once(token: str) -> None:
    result = score(USER, AgentAnswer(f"UserSerializer {token * 20_000}", (called(GREP),)))
    assert result.failures == ("ungrounded",)
    assert len(result.details[0]) < 1000


@pytest.mark.parametrize("words", ["1 ", "12, ", "no ", "./a.py "])
def test_an_endless_text_is_a_loop(words: str) -> None:
    assert Failure.DEGENERATE in score(USER, AgentAnswer(words * 5_000, (called(GREP),))).failures


def test_a_pattern_that_never_ends_leaves_the_answer_unscored() -> None:
    query = SuiteQuery("q", "Find it", ExpectTool(("run_command",), r"(a|aa)+$"))
    began = time.monotonic()
    result = score(query, AgentAnswer("It is in ./a.py.", (call(json.dumps({"command": "a" * 5000 + "b"})),)))
    assert time.monotonic() - began < 10
    assert (result.ok, result.failures, dict(result.checks)) == (None, (), {})
    assert result.details == (
        "not scored: the pattern of `arguments` searched for more than 1 s: simplify it",
    )


def test_where_nothing_is_expected_nothing_is_judged() -> None:
    result = score(SuiteQuery("q", "Anything?", ExpectAny()), AgentAnswer(None, finish_reasons=("length",)))
    assert (result.ok, result.failures, result.details) == (None, (), ())


def test_of_any_tool_with_any_arguments() -> None:
    query = SuiteQuery("q", "Find it", ExpectTool())
    assert score(query, AgentAnswer("It is in ./a.py at line 1.", (SOUND,))).ok
    assert score(query, AgentAnswer("It is in ./a.py at line 1.")).details == (
        "no tool was called, expected any",
    )


def test_where_nothing_must_be_mentioned_an_echo_is_still_none() -> None:
    query = SuiteQuery("q", "How many legs has a spider?", ExpectDirect())
    assert score(query, AgentAnswer("Eight.")).ok
    assert score(query, AgentAnswer("How many legs has a spider?")).failures == ("off-topic",)


@pytest.mark.parametrize(
    ("question", "returned", "answer", "is_grounded"),
    [
        ("What is the status of my order?", "shipped", "Your order has been shipped.", True),
        ("What is the status of my order?", "shipped", "Your order has been cancelled.", False),
        ("How is the weather in Paris?", '{"sky": "sunny"}', "It is sunny in Paris.", True),
        ("How is the weather in Paris?", '{"sky": "sunny"}', "The weather in Paris is fine.", False),
        ("Is the server up?", "yes", "Yes, the server is up.", True),
        ("Is it used?", " ".join(f"word{n}" for n in range(50)) + " somewhere", "It is somewhere.", False),
    ],
)
def test_what_a_tool_says_in_few_words_is_used_by_saying_it(
    question: str, returned: str, answer: str, is_grounded: bool
) -> None:
    assert (ungrounded(question, answer, [ToolCall("look", "{}", returned)]) is None) is is_grounded
