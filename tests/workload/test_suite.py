"""Suites: the default one, the hash of a meaning, and an error for every way to get a file wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from punie.trace.errors import ExitCode, InputError
from punie.trace.toml_files import LARGEST_BYTES, parse_toml
from punie.trace.workload.suite import (
    ExpectAny,
    ExpectDirect,
    ExpectTool,
    Suite,
    default_suite,
    load_suite,
    make_suite,
)

SUITE = """\
name = "mine"
version = 2

[[query]]
id = "one"
text = "Find it"
expect = "tool"
tool = ["run_command", "read_file"]
arguments = 'grep.*it\\b'

[[query]]
id = "two"
text = "What is it?"
expect = "direct"
mentions = ["it", ["thing", "object"]]
"""


def parse_suite(text: str, source: str = "s.toml") -> Suite:
    return make_suite(parse_toml(text.encode(), f"suite {source}"), f"suite {source}")


def test_the_default_suite_has_the_five_questions() -> None:
    suite = default_suite()
    assert (suite.name, suite.version) == ("discrimination", 1)
    assert [(query.text, type(query.expectation)) for query in suite.queries] == [
        ("Find all Django view functions", ExpectTool),
        ("Show me the implementation of UserSerializer", ExpectTool),
        ("Find all uses of async/await in the codebase", ExpectTool),
        ("What is dependency injection in Django?", ExpectDirect),
        ("What's the difference between Django ORM and raw SQL?", ExpectDirect),
    ]


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    suite = load_suite(path)
    assert suite == parse_suite(SUITE, "elsewhere")
    assert suite.queries[0].expectation == ExpectTool(("run_command", "read_file"), r"grep.*it\b")
    assert suite.queries[1].expectation == ExpectDirect((("it",), ("thing", "object")))


def test_one_tool_needs_no_list() -> None:
    one = SUITE.replace('["run_command", "read_file"]', '"run_command"')
    listed = SUITE.replace('["run_command", "read_file"]', '["run_command"]')
    assert parse_suite(one).sha256 == parse_suite(listed).sha256


def test_the_hash_is_the_same_for_another_layout() -> None:
    query = """\
name = 'mine' # a comment
version = 0x2
query = [
  {expect = "tool", arguments = "grep.*it\\\\b", tool = ["read_file", "run_command"], text = "Find it", id = "one"},
  {mentions = [["object", "Thing"], ["IT"]], expect = "direct", id = "two", text = '''What is it?'''},
]
"""
    assert parse_suite(query).sha256 == parse_suite(SUITE).sha256


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"mine"', '"yours"'),
        ("version = 2", "version = 3"),
        ('"one"', '"three"'),
        ('"Find it"', '"Find it "'),
        (', "read_file"]', "]"),
        ("grep", "find"),
        ('["it", ', '["it", "its", '),
        ('"thing", ', ""),
        ('"it", ["thing", "object"]', '["it", "thing", "object"]'),
    ],
)
def test_the_hash_differs_for_another_meaning(old: str, new: str) -> None:
    assert SUITE.count(old) == 1
    changed = parse_suite(SUITE.replace(old, new))
    assert changed.sha256 != parse_suite(SUITE).sha256


def test_the_order_of_the_questions_is_part_of_the_meaning() -> None:
    head, one, two = SUITE.split("[[query]]")
    turned = parse_suite(f"{head}[[query]]{two}[[query]]{one}")
    assert turned.sha256 != parse_suite(SUITE).sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', "", "suite s.toml: name is missing"),
        ('name = "mine"', "name = 3", "suite s.toml: name must be a text, not 3"),
        ('name = "mine"', 'name = " "', "suite s.toml: name must be a text, not ' '"),
        ("version = 2", "version = true", "suite s.toml: version must be a whole number from 1 up, not True"),
        ("version = 2", "version = 0", "suite s.toml: version must be a whole number from 1 up, not 0"),
        (
            "version = 2",
            "versoin = 2",
            "suite s.toml: version is missing; 'versoin' is not known here (known: name, version, query)",
        ),
        ('id = "one"', "", "suite s.toml: query 1: id is missing"),
        ('id = "two"', 'id = "one"', "suite s.toml: two queries have the id 'one'"),
        ('"What is it?"', '"Find it"', "suite s.toml: two queries have the text 'Find it'"),
        ('text = "Find it"', "", "suite s.toml: query one: text is missing"),
        ('text = "Find it"', "text = ['x']", "suite s.toml: query one: text must be a text, not a list"),
        ('expect = "tool"', "", "suite s.toml: query one: expect is missing"),
        ('"tool"', '"tools"', "suite s.toml: query one: expect must be tool or direct or any, not 'tools'"),
        (
            "'grep.*it\\b'",
            "'grep('",
            "suite s.toml: query one: arguments is not a regular expression: missing )",
        ),
        (
            'tool = ["run_command", "read_file"]',
            "tool = []",
            "suite s.toml: query one: tool must be a text or a list of texts, not []",
        ),
        (
            'tool = ["run_command", "read_file"]',
            "tool = 1",
            "suite s.toml: query one: tool must be a text or a list of texts, not 1",
        ),
        (
            '["thing", "object"]',
            "[]",
            "suite s.toml: query two: mentions must be a list of texts, or of lists of texts, not a list",
        ),
        ('["it", ["thing", "object"]]', "[]", "suite s.toml: query two: mentions must be a list of texts"),
        ('["it", ["thing", "object"]]', '"it"', "suite s.toml: query two: mentions must be a list of texts"),
        (
            "mentions =",
            "tool =",
            "suite s.toml: query two: 'tool' is not known here (known: id, text, expect, family, mentions)",
        ),
        ("version = 2", "version = ", "suite s.toml is not valid TOML: Invalid value (at line 2, column 11)"),
    ],
)
def test_an_error_names_the_file_the_query_and_the_field(old: str, new: str, message: str) -> None:
    assert SUITE.count(old) == 1
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_suite(SUITE.replace(old, new))
    assert caught.value.exit_code is ExitCode.INPUT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nversion = 1', "query is missing"),
        ('name = "x"\nversion = 1\nquery = []', "query is missing: a suite needs at least one [[query]]"),
        ('name = "x"\nversion = 1\nquery = 3', "query must be written as [[query]]"),
        ('name = "x"\nversion = 1\n[query]\nid = "a"', "query must be written as [[query]]"),
    ],
)
def test_a_suite_needs_questions(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse_suite(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.toml can't be read: No such file"):
        load_suite(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="can't be read: it is no regular file"):
        load_suite(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(InputError, match=r"latin\.toml is not UTF-8: .* at byte 11"):
        load_suite(tmp_path / "latin.toml")


def test_only_what_a_question_needs_is_required() -> None:
    suite = parse_suite("""\
name = "timed"
version = 1
query = [
  {id = "a", text = "Why?", expect = "any"},
  {id = "b", text = "How?", expect = "direct"},
  {id = "c", text = "Where?", expect = "tool"},
]
""")
    assert [query.expectation for query in suite.queries] == [ExpectAny(), ExpectDirect(), ExpectTool()]
    assert [query.expected for query in suite.queries] == ["any", "direct", "tool"]


def test_all_that_is_missing_or_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_suite('version = 0\n[[query]]\nid = "a"\ntool = 3\n[[query]]\nexpect = "direct"\nmentions = 1')
    assert caught.value.message == (
        "suite s.toml: name is missing; version must be a whole number from 1 up, not 0; "
        "query a: text is missing; query a: expect is missing; "
        "query a: tool must be a text or a list of texts, not 3; query 2: id is missing; query 2: text is missing; "
        "query 2: mentions must be a list of texts, or of lists of texts, not 1"
    )


def test_a_long_list_of_problems_is_cut() -> None:
    with pytest.raises(InputError, match=r"; and 22 more$") as caught:
        parse_suite(
            'name = "x"\nversion = 1\nquery = [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}]\n[more]\n[other]'
        )
    assert caught.value.message.count(";") == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"name = {'[' * 3000}", "suite s.toml is nested too deeply"),
        (f"version = {'1' * 5000}", "suite s.toml is not valid TOML: Exceeds the limit"),
        (f"version = 0x{'f' * 5000}", "version must be a whole number from 1 up, not a number of 20000 bits"),
        (f'name = "{"x" * 30_000}"\nversion = 1', "name is longer than 20000 characters"),
        (f'name = {{a = "{"x" * 30_000}"}}', "name must be a text, not a table"),
        ('"\\u001b[31m" = 1', r"'\x1b[31m' is not known here"),
        (
            f'query = [{{id = "a", text = "b", expect = "tool", arguments = "{"(" * 900}"}}]',
            "query a: arguments is not a regular expression: ",
        ),
        (
            f'query = [{{id = "a", text = "b", expect = "tool", arguments = "{"x" * 1001}"}}]',
            "query a: arguments is longer than 1000 characters",
        ),
        (
            'query = [{id = "a", text = "b", expect = "tool", arguments = "a{99999999999999999999}"}]',
            "query a: arguments is not a regular expression: repeat count too big",
        ),
    ],
)
def test_what_is_huge_or_deep_is_named_in_one_short_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_suite(text)
    assert message in caught.value.message
    assert len(caught.value.message) < 500
    assert caught.value.message.isprintable()


def test_a_suite_is_a_regular_file_of_a_bounded_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "large.toml").write_text("#" * (LARGEST_BYTES + 1))
    with pytest.raises(InputError, match=r"pipe\.toml can't be read: it is no regular file"):
        load_suite(tmp_path / "pipe.toml")
    with pytest.raises(InputError, match=r"large\.toml is larger than 1000000 bytes"):
        load_suite(tmp_path / "large.toml")


def test_families_are_read_and_belong_to_the_meaning() -> None:
    query = {"id": "a", "text": "What is a view?", "expect": "any"}
    plain = make_suite({"name": "mine", "version": 1, "query": [query]}, "suite mine")
    grouped = make_suite(
        {"name": "mine", "version": 1, "query": [{**query, "family": "topics"}]}, "suite mine"
    )

    assert (plain.queries[0].family, grouped.queries[0].family) == ("", "topics")
    assert plain.sha256 != grouped.sha256


@pytest.mark.parametrize("family", ["", 7, "x" * 61, ["a"]])
def test_a_family_that_is_none_is_refused_by_name(family: object) -> None:
    query = {"id": "a", "text": "What is a view?", "expect": "any", "family": family}
    with pytest.raises(InputError, match="query a: family"):
        make_suite({"name": "mine", "version": 1, "query": [query]}, "suite mine")


def test_the_bare_name_of_a_shipped_suite_means_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_suite(Path("workspace")).name == "workspace"
    Path("workspace").write_text("", encoding="utf-8")
    with pytest.raises(InputError):  # a file of that name comes first
        load_suite(Path("workspace"))


def test_the_workspace_suite_is_large_enough_to_judge_a_training() -> None:
    queries = load_suite(Path("workspace")).queries
    families = {query.family for query in queries}
    control = [query for query in queries if query.family.startswith("control")]
    assert len(queries) >= 100
    assert "" not in families
    assert len(control) >= 10
    assert {query.expected for query in control} == {"tool", "direct"}
