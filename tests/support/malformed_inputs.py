"""Small inputs with one thing wrong each: numbers, times, ids, shapes, encodings, texts, TOML.

Beside the fuzzer, which damages at random, these are what somebody would think of.
"""

# ruff: noqa: RUF001, ANN401
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

_NS: Final = 1_760_000_000_000_000_000
_S: Final = 10**9
_TRACE: Final = "a" * 32
Json = dict[str, Any]

VALUES: Final[list[Any]] = [
    {"intValue": "9" * 400},
    {"intValue": 9 * 10**30},
    {"intValue": "-0"},
    {"intValue": "0x10"},
    {"intValue": "1_000"},
    {"intValue": "1e3"},
    {"intValue": " 12 "},
    {"intValue": "+5"},
    {"intValue": True},
    {"intValue": 1.5},
    {"intValue": []},
    {"intValue": None},
    {"doubleValue": "NaN"},
    {"doubleValue": "Infinity"},
    {"doubleValue": "-Infinity"},
    {"doubleValue": 1e308},
    {"doubleValue": -1e308},
    {"doubleValue": 5e-324},
    {"doubleValue": "1e400"},
    {"boolValue": "true"},
    {"boolValue": 2},
    {"stringValue": 5},
    {"stringValue": None},
    {"bytesValue": "!!"},
    {"arrayValue": {"values": [{"intValue": "1"}] * 1000}},
    {"kvlistValue": {"values": [{"key": "a", "value": {}}]}},
    {"arrayValue": None},
    {},
    None,
    "x",
    {"stringValue": "٣"},
    {"stringValue": "１２"},
    {"intValue": "-9223372036854775808"},
    {"intValue": "9223372036854775807"},
]
"""Of an attribute, as OTLP's JSON has them."""
COUNTED: Final = (
    "gen_ai.usage.output_tokens",
    "punie.server.memory.peak",
    "acme.cached_tokens",
    "gen_ai.response.finish_reasons",
)
TIMES: Final[list[Any]] = [
    "0",
    "-1",
    str(-(2**63)),
    str(2**63 - 1),
    str(2**64 - 1),
    str(2**64),
    "9" * 300,
    "9223372036854775807",
    "1e19",
    "NaN",
    "",
    None,
    True,
    [],
    1.5e18,
    "1760000000",
    "1760000000000",
    "1760000000000000",
    "0x5",
    "٣",
]
NAMES: Final = [
    "\x1b[31mred",
    "\x1b]52;c;eA==\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b_x\x1b\\",
    "\x9b31m",
    "\x90q\x9c",
    "\u202egnp\u2066x",
    "\u2067a\u2069",
    "pаypal",
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠a",
    " =1",
    "\u00a0=1",
    "\u3000=1",
    "\ufeff=1",
    "\u200b=1",
    "\x00=1",
    "'=1",
    "|calc",
    "%0A=1",
    "[a](javascript:x)",
    "![i](http://e/x)",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style>",
    "-->",
    "<!--",
    "]]>",
    "&lt;",
    "&#x1b;",
    "${x}",
    "{{x}}",
    "a|b",
    "`a`",
    "```",
    "~~~",
    "# h",
    "- l",
    "1. l",
    "> q",
    "* * *",
    "---",
    "===",
    "<details>",
    "\\|",
    "\\",
    "a;b;c",
    "a;b 9",
    "a\nb 9",
    'a"b',
    "a\\nb",
    'x"} 5\nevil 1',
    "\ufffe\uffff",
    "\u0085",
    "\u2028",
    "\x7f",
    "\x1f",
    "\U000e0041",
    "\u061c",
    "e" + "\u0301" * 500,
    "﷽" * 50,
    "😀\u200d" * 50,
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "'\"><svg/onload=x>",
    "__proto__",
    "constructor",
    "NaN",
    "null",
    "true",
    "",
    "   ",
    "\u180e",
    "\u115f",
    "\u3164",
]
"""Of whatever has a name."""
TOML: Final[Mapping[str, str]] = {
    "nan": 'name="s"\nversion=nan\n',
    "inf": 'name="s"\nversion=inf\n',
    "neg": 'version=-1\nname="x"\n',
    "float": 'version=1.5\nname="x"\n',
    "hex": 'version=0x1\nname="x"\n',
    "oct": 'version=0o17\nname="x"\n',
    "under": 'version=1_000\nname="x"\n',
    "exp": 'version=1e400\nname="x"\n',
    "bool": 'version=true\nname="x"\n',
    "date": 'version=1979-05-27\nname="x"\n',
    "time": "version=07:32:00\n",
    "dup": 'name="x"\nname="y"\n',
    "arr": 'name=["x"]\nversion=1\n',
    "tab": '[query]\nid="x"\n',
    "emptyq": 'name="x"\nversion=1\nquery=[]\n',
    "big": "version=" + "9" * 5000,
    "deepa": "a=" + "[" * 3000 + "]" * 3000,
    "deept": "[" + ".".join("a" * 3000) + "]\n",
    "deepi": "a=" + "{a=" * 1000 + "1" + "}" * 1000,
    "nul": 'name="\0"',
    "esc": 'name="\\u001b[31m"\nversion=1\n[[query]]\nid="\\u001b[31m"\ntext="x"\nexpect="any"\nzz=1\n',
    "bom": '\ufeffname="x"\nversion=1\n',
    "cr": 'name="x"\rversion=1\r',
    "unterminated": 'name="',
    "unicodekey": '"\u202e"=1\n',
    "longkey": "k" * 100_000 + "=1\n",
    "many": "\n".join(f"k{i}=1" for i in range(50_000)),
    "dotted": "a.b=1\na=2\n",
    "empty": "",
    "surr": 'name="\\ud800"',
    "U": 'name="\\U00110000"',
}
QUERIES: Final = [
    'expect="tool"\ntool=["t"]\narguments="(a+)+$"',
    'expect="tool"\ntool=["t"]\narguments="(((((a{1,1000}){1,1000}){1,1000}))"',
    'expect="tool"\ntool=["t"]\narguments="a{1,9999999999}"',
    'expect="tool"\ntool=["t"]\narguments="' + "(" * 500 + ")" * 500 + '"',
    'expect="tool"\ntool=["t"]\narguments="(?<=a*)b"',
    'expect="tool"\ntool=["t"]\narguments="(?P<a>x)(?P<a>y)"',
    'expect="tool"\ntool=["t"]\narguments="\\\\"',
    'expect="tool"\ntool=["t"]\narguments="[' + "a-z" * 30000 + ']"',
    'expect="tool"\ntool=[]\narguments=""',
    'expect="tool"\ntool=[1]',
    "expect=1",
    'expect="nope"',
    'expect="direct"\nmentions=[[]]',
    'expect="direct"\nmentions=[[["x"]]]',
    'expect="direct"\nmentions="x"',
    'expect="direct"\nmentions=[""]',
    'expect="any"\nfamily="\\u001b"',
    'expect="tool"\ntool=["t"]\narguments="(?s:.*)*x"',
    'expect="tool"\ntool=["t"]\narguments="' + "|".join(["a"] * 30000) + '"',
    'expect="tool"\ntool=["t"]\narguments="' + "a?" * 5000 + "a" * 5000 + '"',
]
"""What stands in a query of a suite, patterns above all."""
PLANS: Final = [
    "blocks=0",
    "blocks=-1",
    "blocks=1e9",
    "blocks=nan",
    "blocks=1000000000",
    "repeat=0",
    "repeat=99999999",
    "seed=-99999999999999999999",
    "seed=9223372036854775808",
    "threshold=nan",
    "threshold=-1.0",
    "threshold=inf",
    "threshold=0.0",
    'same_again="x"',
    "query_timeout=0",
    "query_timeout=-5",
    "ready_timeout=1e30",
    'target="0s"',
    'target="-1s"',
    'target="1e400s"',
    'target="NaNs"',
    'target="１０s"',
    'max_memory="-1GB"',
    'max_memory="1e400GB"',
    'max_memory="9999999999999999TB"',
    'suite="/dev/zero"',
    'suite="."',
    'suite="\\u0000"',
    "[stop]\nwidth=nan",
    "[stop]\nlooks=[3,2]",
    "[stop]\nlooks=[-1]",
    "[stop]\nlooks=[true]",
    '[[arm]]\nname="../x"',
    '[[arm]]\nname=""',
    '[[arm]]\nname="a"\nlevers=["nope"]',
    '[[arm]]\nname="a"\nlevers=["max-tokens=-1"]',
    '[[arm]]\nname="a"\nlevers=["max-tokens=1e9"]',
    '[[arm]]\nname="a"\nlevers=["max-tokens=99999999999999999999999"]',
    '[[arm]]\nname="a"\nlevers=["tool-results=0"]',
    '[[arm]]\nname="a"\nlevers=["prefill-step-size=0"]',
    '[[arm]]\nname="a"\nserver="rm -rf {port}"',
    '[[arm]]\nname="a"\nserver="\'"',
    '[[arm]]\nname="a"\nserver=5',
    '[[arm]]\nname="a"\n[arm.request]\nmax_tokens=-1',
    '[[arm]]\nname="a"\n[arm.request]\nmax_tokens=true',
    '[[arm]]\nname="a"\n[arm.request]\ntemperature=nan',
    '[[arm]]\nname="a"\n[arm.request]\ntop_p=2.0',
    '[[arm]]\nname="a"\n[arm.request]\ntop_p=-1.0',
    '[[arm]]\nname="a"\n[arm.request]\ntop_p=nan',
    '[[arm]]\nname="a"\n[arm.request]\nseed=1e3',
    '[[arm]]\nname="a"\n[arm.request.template_args]\nx=nan',
    '[[arm]]\nname="a"\n[arm.request.template_args]\nx=1979-05-27',
    '[[arm]]\nname="a"\n[arm.agent]\nagent="a:b:c"',
    '[[arm]]\nname="a"\n[arm.agent]\nworkspace="/dev/null"',
    '[[arm]]\nname="a"\n[arm.server]\nmodel="\\u001b"',
    '[[arm]]\nname="a"\n[arm.server]\nprefill_step_size=-1',
    '[[arm]]\nname="a"\n[arm.server]\nprompt_cache="x"',
    '[[arm]]\nname="a"\n[arm.server]\nbase_url="x"',
    '[[arm]]\nname="a"\n[arm.server]\nbase_url="http://h/\\u001b"',
    '[[arm]]\nname="a"\n[[arm]]\nname="a"',
    '[[arm]]\nname="baseline"',
    'output="x"',
    '[[arm]]\nname="a"\noutput="x"',
]
"""What stands in a plan of an experiment."""
CONFIGURATIONS: Final = [
    "[server]\nmodel=5",
    "[server]\nbase_url=[]",
    "[request]\nmax_tokens=-1",
    "[request]\nmax_tokens=0",
    "[request]\ntemperature=-1.0",
    "[request]\ntemperature=nan",
    "[request]\ntop_p=5.0",
    "[request]\nnum_draft_tokens=0",
    "[request]\nnum_draft_tokens=-3",
    '[agent]\nworkspace="/nope"',
    '[agent]\nagent="x"',
    '[agent]\nstream="yes"',
    '[server]\nprompt_cache="\\u001b[31m"',
    '[server]\nadapter="/dev/zero"',
    "server=5",
    "[zzz]\na=1",
    '[server]\nprogram="x"',
    '[server]\nprogram="\\u0000 {port}"',
    "[server]\nprefill_step_size=0",
    "[request]\nmax_tokens=true",
    "[request]\nseed=99999999999999999999",
    "[request.template_args]\nx=nan",
    '[agent]\ninstruction="\\u001b"\ntool_result_characters=-5',
]
_QUERY: Final = 'name="s"\nversion=1\n[[query]]\nid="q"\ntext="?"\n'


def _attribute(key: str, value: Any) -> Json:  # any JSON
    if isinstance(value, str):
        return {"key": key, "value": {"stringValue": value}}
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else value}


def _span(
    number: int, parent: int | None, start: int, end: int, name: str, said: Mapping[str, Any], **more: Any
) -> Json:  # any JSON
    made = {
        "traceId": _TRACE,
        "spanId": f"{number:016x}",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(_NS + start),
        "endTimeUnixNano": str(_NS + end),
        "attributes": [_attribute(*one) for one in said.items()],
    }
    return made | ({"parentSpanId": f"{parent:016x}"} if parent else {}) | more


def _spans(
    chat: Mapping[str, Any] = {}, tool: Mapping[str, Any] = {}, name: str = "q", **more: Any
) -> list[Json]:  # not changed
    calls = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 100,
        **chat,
    }
    ran = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", **tool}
    return [
        _span(1, None, 0, 3 * _S, name, {"gen_ai.operation.name": "invoke_agent", **tool}, **more),
        _span(2, 1, _S // 10, _S, "chat m", calls),
        _span(3, 1, _S, 2 * _S, "execute_tool t", ran),
        _span(4, 1, 2 * _S, 3 * _S - 5, "chat m", calls),
    ]


def _document(spans: Any, resource: Mapping[str, Any] = {}) -> str:  # any JSON; not changed
    named = {"attributes": [_attribute(*one) for one in resource.items()]}
    return json.dumps(
        {"resourceSpans": [{"resource": named, "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]}
    )


def traces() -> Iterator[tuple[str, bytes]]:
    """Files of spans, each by a name."""
    for kind in (_numbers, _times, _trees, _shapes, _encodings, _names):
        for name, text in kind():
            yield name, text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def _numbers() -> Iterator[tuple[str, str]]:
    for place, value in enumerate(VALUES):
        for name in COUNTED:
            mark = {"stringValue": "VALUE"}
            yield (
                f"number {place} as {name}",
                _document(_spans({name: mark})).replace(json.dumps(mark), json.dumps(value)),
            )
    for kind in (
        "NaN",
        "Infinity",
        "true",
        '"SPAN_KIND_CLIENT"',
        "9" * 5_000,
        "-0",
        "1e2",
        "1.0",
        "null",
        "[]",
    ):
        yield f"kind {kind[:20]}", _document(_spans()).replace('"kind": 1', f'"kind": {kind}')


def _times() -> Iterator[tuple[str, str]]:
    for place, time in enumerate(TIMES):
        for which in ("startTimeUnixNano", "endTimeUnixNano"):
            for row in (0, 1):
                spans = _spans()
                spans[row][which] = time
                yield f"time {place} as {which} of {row}", _document(spans)
    yield (
        "event before all",
        _document(_spans(events=[{"timeUnixNano": "-5", "name": "\x1b[31m", "attributes": None}])),
    )


def _trees() -> Iterator[tuple[str, str]]:
    text = _document(_spans())
    yield "its own parent", text.replace('"kind": 1, ', f'"parentSpanId": "{1:016x}", "kind": 1, ', 1)
    yield "a circle", text.replace('"kind": 1, ', f'"parentSpanId": "{2:016x}", "kind": 1, ', 1)
    for count, operation in ((5_000, "x"), (2_000, "invoke_agent"), (2_000, "chat"), (2_000, "execute_tool")):
        said = {"gen_ai.operation.name": operation}
        yield (
            f"{operation} one in another",
            _document([_span(n + 1, n or None, 0, _S, operation, said) for n in range(count)]),
        )
        beside = [_span(n + 2, 1, 0, _S, operation, said) for n in range(count)]
        yield f"{operation} side by side", _document([*_spans(), *beside])
    yield (
        "one id for all",
        _document([_span(1, None, 0, n, "x", {"gen_ai.operation.name": "chat"}) for n in range(300)]),
    )
    for place, name in enumerate(("0" * 32, "a", "zz\\u001b[31m", "A" * 32, "", "a" * 33)):
        yield f"trace id {place}", text.replace(_TRACE, name)


def _shapes() -> Iterator[tuple[str, str]]:
    text = _document(_spans())
    odd_spans: list[Any] = [None, {}, "x", [None, 1, "x", [], {}], [[[]]]]
    for place, spans in enumerate(odd_spans):
        yield f"spans {place}", _document(spans)
    for place, whole in enumerate(
        ("5", '"x"', "", "\n\n", "null", "[]", "{}", "true", f"[{text}]", '{"resourceSpans": {}}')
    ):
        yield f"document {place}", whole
    many = _spans()
    many[0]["attributes"] = [_attribute(f"k{number}", number) for number in range(100_000)]
    yield "a hundred thousand attributes", _document(many)
    many[0]["attributes"] = [_attribute("gen_ai.operation.name", "chat")] * 100_000
    yield "one attribute a hundred thousand times", _document(many)
    yield "keys twice", text.replace('"name": "q"', '"name": "q", "name": 5, "kind": 3, "kind": []')
    yield "deep list", "[" * 200_000
    yield "deep object", '{"a":' * 100_000
    deep = '{"arrayValue":{"values":[' * 2_000 + '{"intValue":"1"}' + "]}}" * 2_000
    yield "deep value", text.replace('{"stringValue": "invoke_agent"}', deep)
    for place, odd in enumerate(
        (
            f"{text[:-1]},}}",
            f"// x\n{text}",
            text[: len(text) // 2],
            text + text,
            f"{text}x",
            text.replace('"', "'"),
        )
    ):
        yield f"JSON {place}", odd


def _encodings() -> Iterator[tuple[str, bytes]]:
    text = _document(_spans())
    plain = text.encode()
    for name in ("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-7", "cp037", "utf-8-sig"):
        yield name, text.encode(name)
    yield "two marks", b"\xef\xbb\xbf" * 2 + plain
    yield "half a character", text.encode("utf-16")[:-1]
    yield "Latin-1", text.replace('"q"', '"\xe9"').encode("latin-1")
    for name, end in (
        ("CR", b"\r"),
        ("CR CR LF", b"\r\r\n"),
        ("form feed", b"\f"),
        ("U+2028", b"\xe2\x80\xa8"),
        ("NUL", b"\0"),
    ):
        yield f"lines that end by {name}", plain + end + plain.replace(b"a" * 32, b"b" * 32) + end
    yield "zeros", b"\0" * 50
    for name, odd in (
        ("long", b"x" * 2_000_000),
        ("lone", b"\\ud800\\udc00\\ud800"),
        ("raw lone", b"\xed\xa0\x80"),
        ("NUL", b"\\u0000"),
        ("tab", b"\t"),
    ):
        yield f"a name that is {name}", plain.replace(b'"q"', b'"' + odd + b'"')


def _names() -> Iterator[tuple[str, str]]:
    everywhere = (
        "gen_ai.agent.name",
        "punie.query.id",
        "gen_ai.tool.name",
        "gen_ai.request.model",
        "error.type",
        "punie.arm",
        "gen_ai.response.finish_reasons",
        "gen_ai.conversation.id",
        "server.address",
    )
    for place, name in enumerate(NAMES):
        said = dict.fromkeys(everywhere, name)
        named = dict.fromkeys(("service.name", "host.name", "process.pid", "service.instance.id"), name)
        yield f"name {place}", _document(_spans(said, said, name, status={"code": 2, "message": name}), named)


def tomls() -> Iterator[tuple[str, str, bytes]]:
    """TOML: what it is for ("suite", "plan", "experiment", "config"), a name, the content."""
    for name, text in TOML.items():
        for what in ("suite", "plan", "experiment", "config"):
            yield what, name, text.encode("utf-8", "surrogatepass")
    for what, texts, head in (
        ("suite", QUERIES, _QUERY),
        ("experiment", PLANS, ""),
        ("config", CONFIGURATIONS, ""),
    ):
        for place, text in enumerate(texts):
            yield what, str(place), f"{head}{text}\n".encode("utf-8", "surrogatepass")
