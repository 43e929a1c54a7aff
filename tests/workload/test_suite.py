"""Suites: the default one, the hash of a meaning, and an error for every way to get a file wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from punie.trace.errors import ExitCode, InputError
from punie.trace.workload.suite import ExpectDirect, ExpectTool, default_suite, load_suite, parse_suite

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
    assert suite == parse_suite(SUITE, source="elsewhere")
    assert suite.queries[0].expectation == ExpectTool(("run_command", "read_file"), r"grep.*it\b")
    assert suite.queries[1].expectation == ExpectDirect((("it",), ("thing", "object")))


def test_one_tool_needs_no_list() -> None:
    one = SUITE.replace('["run_command", "read_file"]', '"run_command"')
    listed = SUITE.replace('["run_command", "read_file"]', '["run_command"]')
    assert parse_suite(one, source="a").sha256 == parse_suite(listed, source="b").sha256


def test_the_hash_is_the_same_for_another_layout() -> None:
    query = """\
name = 'mine' # a comment
version = 0x2
query = [
  {expect = "tool", arguments = "grep.*it\\\\b", tool = ["read_file", "run_command"], text = "Find it", id = "one"},
  {mentions = [["object", "Thing"], ["IT"]], expect = "direct", id = "two", text = '''What is it?'''},
]
"""
    assert parse_suite(query, source="a").sha256 == parse_suite(SUITE, source="b").sha256


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
    changed = parse_suite(SUITE.replace(old, new), source="a")
    assert changed.sha256 != parse_suite(SUITE, source="a").sha256


def test_the_order_of_the_questions_is_part_of_the_meaning() -> None:
    head, one, two = SUITE.split("[[query]]")
    turned = parse_suite(f"{head}[[query]]{two}[[query]]{one}", source="a")
    assert turned.sha256 != parse_suite(SUITE, source="a").sha256


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
            "suite s.toml: versoin is not known here (known: name, version, query)",
        ),
        ('id = "one"', "", "suite s.toml, query 1: id is missing"),
        ('id = "two"', 'id = "one"', "suite s.toml: two queries have the id 'one'"),
        ('"What is it?"', '"Find it"', "suite s.toml: two queries have the text 'Find it'"),
        ('text = "Find it"', "", "suite s.toml, query one: text is missing"),
        ('text = "Find it"', "text = ['x']", "suite s.toml, query one: text must be a text, not ['x']"),
        ('expect = "tool"', "", "suite s.toml, query one: expect is missing"),
        ('"tool"', '"tools"', 'suite s.toml, query one: expect is "tools", not "tool" or "direct"'),
        ("arguments = 'grep.*it\\b'", "", "suite s.toml, query one: arguments is missing"),
        (
            "'grep.*it\\b'",
            "'grep('",
            "suite s.toml, query one: arguments is not a regular expression: missing ), unterminated subpattern",
        ),
        (
            'tool = ["run_command", "read_file"]',
            "tool = []",
            "suite s.toml, query one: tool must be texts, not []",
        ),
        (
            'tool = ["run_command", "read_file"]',
            "tool = 1",
            "suite s.toml, query one: tool must be texts, not 1",
        ),
        ('tool = ["run_command", "read_file"]', "", "suite s.toml, query one: tool is missing"),
        ('["thing", "object"]', "[]", "suite s.toml, query two: mentions must be texts, not []"),
        ('["it", ["thing", "object"]]', "[]", "suite s.toml, query two: mentions must be a list of texts"),
        ('["it", ["thing", "object"]]', '"it"', "suite s.toml, query two: mentions must be a list of texts"),
        (
            "mentions =",
            "tool =",
            "suite s.toml, query two: tool is not known here (known: id, text, expect, mentions)",
        ),
        ("version = 2", "version = ", "suite s.toml is not valid TOML: Invalid value (at line 2, column 11)"),
    ],
)
def test_an_error_names_the_file_the_query_and_the_field(old: str, new: str, message: str) -> None:
    assert SUITE.count(old) == 1
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_suite(SUITE.replace(old, new), source="s.toml")
    assert caught.value.exit_code is ExitCode.INPUT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nversion = 1', "query is missing: a suite needs at least one [[query]]"),
        ('name = "x"\nversion = 1\nquery = []', "query is missing: a suite needs at least one [[query]]"),
        ('name = "x"\nversion = 1\nquery = 3', "query must be written as [[query]]"),
        ('name = "x"\nversion = 1\n[query]\nid = "a"', "query must be written as [[query]]"),
    ],
)
def test_a_suite_needs_questions(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse_suite(text, source="s.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.toml can't be read: No such file"):
        load_suite(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        load_suite(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(InputError, match=r"latin\.toml is not UTF-8: .* at byte 11"):
        load_suite(tmp_path / "latin.toml")
