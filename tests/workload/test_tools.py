"""The tools over a real folder with real programs: what they print, and every way out that is closed."""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie.trace.errors import WorkloadError
from punie.trace.workload.tools.confine import READ_LIMIT_BYTES
from punie.trace.workload.tools.policy import POLICY
from punie.trace.workload.tools.tools import WorkspaceTools, limited

SECRET = "hunter2-outside-the-project"  # noqa: S105 - a marker, not a password
SERIALIZERS = """\
from rest_framework import serializers


class UserSerializer(serializers.ModelSerializer):
    pass
"""
VIEWS = """\
async def profile(request):
    return await load(request) | None
"""


@dataclass(frozen=True)
class Place:
    """A project folder with links out of it, and the folder outside that nothing may reach."""

    project: Path
    outside: Path

    @property
    def tools(self) -> WorkspaceTools:
        return WorkspaceTools(self.project)

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Mode, time of change and content of everything inside and outside."""
        return {
            str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, _content(path))
            for path in sorted(self.project.parent.rglob("*"))
        }


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""


def make_place(folder: Path) -> Place:
    project, outside = folder / "project", folder / "outside"
    (project / "accounts" / "deep").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_text(f"{SECRET}\n")
    (project / "accounts" / "serializers.py").write_text(SERIALIZERS)
    (project / "accounts" / "views.py").write_text(VIEWS)
    (project / "accounts" / "deep" / "views.py").write_text(VIEWS)
    (project / "accounts" / "page.html").write_text("<p>await</p>\n")
    (project / "patterns.txt").write_text("await\n")
    (project / "list0").write_bytes(os.fsencode(outside / "secret.txt") + b"\0")
    (project / "-rf").write_text("a file with an unlucky name\n")
    (project / "link.txt").symlink_to(outside / "secret.txt")
    (project / "link").symlink_to(outside)
    (project / "accounts" / "up").symlink_to("../../outside")
    (project / "inner").symlink_to("accounts")
    (project / "loop").symlink_to("loop")
    os.mkfifo(project / "pipe")
    return Place(project, outside)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def test_recursive_grep_is_sorted_by_path_and_then_by_line(place: Place) -> None:
    assert place.tools.run_command("grep -rn await .") == "\n".join(
        [
            "./accounts/deep/views.py:2:    return await load(request) | None",
            "./accounts/page.html:1:<p>await</p>",
            "./accounts/views.py:2:    return await load(request) | None",
            "./patterns.txt:1:await",
        ]
    )


def test_line_numbers_are_sorted_as_numbers(place: Place) -> None:
    (place.project / "many.py").write_text("needle\n" * 12)
    lines = place.tools.run_command("grep -rn needle").splitlines()
    assert lines == [f"./many.py:{number}:needle" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            'grep -rn "class UserSerializer" .',
            "./accounts/serializers.py:4:class UserSerializer(serializers.",
        ),
        ("grep -Rl UserSerializer", "./accounts/serializers.py"),
        ("grep -rl --include=*.html await", "./accounts/page.html"),
        ("grep -rl await . --include '*.{html,txt}'", "./accounts/page.html\n./patterns.txt"),
        (
            "grep -rl --exclude-dir=deep --exclude=*.html await accounts/",
            "accounts/views.py",
        ),
        ("grep --recursive --files-with-matches --regexp=class --color=never inner", "inner/serializers.py"),
        ("grep -rhoE '(class|async def) [[:alpha:]]+$|^async' accounts/views.py", "async"),
        ('grep -c "request) | None$" accounts/views.py', "1"),
        ("grep -n -e pass -e class accounts/serializers.py", "4:class"),
        (
            "grep -1 class accounts/serializers.py",
            "\nclass UserSerializer(serializers.ModelSerializer):\n    pass",
        ),
        ("grep -rm1 async accounts/views.py", "async def profile(request):"),
        ("grep -e -rf -r .", "(no output, exit status 1)"),
        ("grep -- async accounts/views.py", "async def profile(request):"),
        (
            "find . -name '*.py' -type f",
            "./accounts/deep/views.py\n./accounts/serializers.py\n./accounts/views.py",
        ),
        (
            "find accounts ( -name 'ser*' -o -name '*.html' ) -not -empty",
            "accounts/page.html\naccounts/serializers.py",
        ),
        ("find -maxdepth 1 -name patterns.txt", "./patterns.txt"),
        ("ls accounts", "deep\npage.html\nserializers.py\nup\nviews.py"),
        ("cat accounts/*.html patterns.txt", "<p>await</p>\nawait"),
        ("cat -- -rf", "a file with an unlucky name"),
        ("head -1 accounts/views.py", "async def profile(request):"),
        ("head --lines=1 accounts/views.py", "async def profile(request):"),
        ("head --bytes 5 accounts/views.py", "async"),
        ("tail -n +2 accounts/views.py", "    return await"),
        ("wc -l patterns.txt", "patterns.txt"),
    ],
)
def test_honest_commands(place: Place, command: str, expected: str) -> None:
    result = place.tools.run_command(command)
    assert result.startswith(expected) or (command.startswith("wc") and result.split() == ["1", expected])


def test_no_file_name_before_the_match_if_one_file_was_named(place: Place) -> None:
    assert place.tools.run_command("grep -rn class accounts/serializers.py").startswith("4:class")


def test_an_absolute_path_into_the_project_is_allowed(place: Place) -> None:
    assert place.tools.run_command(f"cat {place.project}/patterns.txt") == "await"
    assert place.tools.read_file(str(place.project / "patterns.txt")) == "await"


@pytest.mark.parametrize(
    "command",
    [
        "cat ../outside/secret.txt",
        "cat accounts/../../outside/secret.txt",
        "cat link.txt",
        "cat link/secret.txt",
        "cat accounts/up/secret.txt",
        "cat inner/up/secret.txt",
        "cat /etc/passwd",
        "cat ~/secret.txt",
        "cat ~root/.profile",
        "cat /proc/self/environ",
        "cat /dev/stdin",
        "cat -",
        "cat loop",
        "cat pipe",
        "cat link/*",
        "cat l*/secret.txt",
        "cat */up/secret.txt",
        "cat ../*/secret.txt",
        "cat *.nothing",
        "head -n 5 link.txt",
        "tail -n 5 link.txt",
        "wc -c link.txt",
        "ls ..",
        "ls link",
        "ls link/",
        "ls accounts/up",
        "find ..",
        "find link/",
        "find link",
        "find . .. -name x",
        "find /",
        "grep -r hunter2 ..",
        "grep -r hunter2 link",
        "grep -r hunter2 accounts/up/",
        "grep hunter2 link.txt",
        "grep -e hunter2 /etc/passwd",
        "grep await pipe",
        "grep await",
        "grep",
        "cat",
        "cat ''",
        f"cat {'x' * 1000}",
    ],
)
def test_nothing_outside_is_reached(place: Place, command: str) -> None:
    result = place.tools.run_command(command)
    assert result.startswith("error: ")
    assert SECRET not in result


@pytest.mark.parametrize(
    "command",
    [
        "find . -exec cat {} +",
        "find . -execdir cat {} ;",
        "find . -ok cat {} +",
        "find . -delete",
        "find . -fprint out",
        "find . -fprintf out %p",
        "find . -fls out",
        "find . -printf %p",
        "find . -ls",
        "find . -follow",
        "find -L .",
        "find -H .",
        "find -D exec .",
        "find . -newer link.txt",
        "find . -samefile link.txt",
        "find -files0-from list0",
        "find . -name",
        "find . -type z",
        "find . -maxdepth -delete",
        "find . -- -delete",
        "grep -f patterns.txt accounts/views.py",
        "grep -rf patterns.txt",
        "grep -fpatterns.txt accounts/views.py",
        "grep --file=link.txt x patterns.txt",
        "grep --fil=link.txt x patterns.txt",
        "grep --file link.txt x patterns.txt",
        "grep --exclude-from=link.txt -r x",
        "grep --exclude-f=link.txt -r x",
        "grep -P '(?{x})' patterns.txt",
        "grep --perl-regexp x patterns.txt",
        "grep -A x y patterns.txt",
        "grep -d recurse x .",
        "grep -D read x pipe",
        "grep --recursive=x y",
        "grep -e",
        "cat -A patterns.txt",
        "cat --number=3 patterns.txt",
        "head -f patterns.txt",
        "tail -f patterns.txt",
        "tail -F patterns.txt",
        "tail -fn 1 patterns.txt",
        "tail --follow patterns.txt",
        "tail --follow=name patterns.txt",
        "tail --fol patterns.txt",
        "tail --retry patterns.txt",
        "tail --pid=1 patterns.txt",
        "wc --files0-from=list0",
        "wc --files0=list0",
        "wc --files0-from=-",
        "ls -L",
        "ls -H link",
        "ls --dereference",
        "ls --deref",
    ],
)
def test_options_that_write_execute_wait_or_follow_are_refused(place: Place, command: str) -> None:
    before = place.snapshot()
    result = place.tools.run_command(command)
    assert result.startswith("error: ")
    assert SECRET not in result
    assert place.snapshot() == before


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("#", "not allowed"),
        ("cat patterns.txt | head", "|"),
        ("cat patterns.txt|head", "|"),
        ("cat patterns.txt; ls", ";"),
        ("cat patterns.txt;ls", ";"),
        ("ls && ls", "&"),
        ("ls &", "&"),
        ("ls || ls", "|"),
        ("cat patterns.txt > out", ">"),
        ("cat patterns.txt>out", ">"),
        ("grep -r x . 2>/dev/null", ">"),
        ("cat < patterns.txt", "<"),
        ("cat `ls`", "`"),
        ("cat $(ls)", "$("),
        ('cat "$(ls)"', "$("),
        ('cat "`ls`"', "`"),
        ("ls\nls", "one line"),
        ("ls 'a\nb'", "one line"),
        ("cat a\0b", "control"),
        ("cat \ud800", "control"),
        ("cat 'x", "no closing quotation"),
        ("ls \\", "no escaped character"),
        ("ls " + "a" * 3000, "longer"),
        ("./grep x patterns.txt", "not allowed"),
        ("/bin/grep x patterns.txt", "not allowed"),
        ("/bin/sh", "not allowed"),
        ("sh -c ls", "not allowed"),
        ("env grep x", "not allowed"),
        ("A=1 grep x", "not allowed"),
        ("python -c 1", "not allowed"),
        ("rm patterns.txt", "not allowed"),
        ("GREP x patterns.txt", "not allowed"),
    ],
)
def test_only_one_listed_program_and_no_shell(place: Place, command: str, reason: str) -> None:
    result = place.tools.run_command(command)
    assert result.startswith("error: ")
    assert reason in result


def test_a_program_of_the_workspace_is_never_run(place: Place) -> None:
    for name in POLICY:
        program = place.project / name
        program.write_text("#!/bin/sh\necho planted\n")
        program.chmod(0o755)
    assert place.tools.run_command("cat patterns.txt") == "await"
    assert "planted" not in place.tools.run_command("grep -c await patterns.txt")


def test_links_met_on_the_way_are_not_followed(place: Place) -> None:
    tools = place.tools
    assert tools.run_command("grep -r hunter2") == "(no output, exit status 1)"
    assert tools.run_command("grep -R hunter2 .") == "(no output, exit status 1)"
    assert tools.run_command("find . -name secret.txt") == "(no output, exit status 0)"
    assert "secret.txt" not in tools.run_command("ls -R")
    # Neither a glob: what it matches through a link isn't there.
    assert tools.run_command("grep hunter2 *.txt") == "(no output, exit status 1)"


def test_complaints_are_told(place: Place) -> None:
    tools = place.tools
    assert tools.run_command("cat missing.py") == "error: no such file or folder: missing.py"
    assert tools.run_command("grep '[' patterns.txt").startswith("error: grep: ")
    assert tools.run_command("cat accounts").startswith("error: cat: accounts: ")
    partly = tools.run_command("cat patterns.txt accounts").split("\n")
    assert partly[0] == "await"
    assert partly[1].startswith("[cat: accounts: ")


def test_more_files_than_one_command_line_holds(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    for number in range(1200):
        (folder / f"{number:04}.txt").write_text("needle\n" if number % 400 == 0 else "hay\n")
    tools = WorkspaceTools(tmp_path)
    assert tools.run_command("grep -rh needle") == "needle\nneedle\nneedle"
    assert tools.run_command("grep -rh nothing") == "(no output, exit status 1)"


def test_output_is_cut_at_a_line_and_says_so(place: Place) -> None:
    (place.project / "numbers.txt").write_text("".join(f"{number}\n" for number in range(1, 3001)))
    tools = WorkspaceTools(place.project, output_limit=20)
    expected = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n[truncated: showing 10 of 3000 lines]"
    assert tools.run_command("cat numbers.txt") == expected
    assert tools.read_file("numbers.txt") == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("", 5, ""),
        ("abc\n", 3, "abc"),
        ("abc\nd\n", 3, "abc\n[truncated: showing 1 of 2 lines]"),
        ("ab\ncd", 4, "ab\n[truncated: showing 1 of 2 lines]"),
        ("abcdef\ng", 3, "abc\n[truncated: showing 1 of 2 lines]"),
    ],
)
def test_limited(text: str, limit: int, expected: str) -> None:
    assert limited(text, limit) == expected


def test_an_endless_file_is_read_to_a_bound(tmp_path: Path) -> None:
    with (tmp_path / "huge.txt").open("wb") as file:
        file.write(b"x" * 99 + b"\n")
        file.truncate(4 * READ_LIMIT_BYTES)
    tools = WorkspaceTools(tmp_path, output_limit=200)
    for result in (tools.read_file("huge.txt"), tools.run_command("cat huge.txt")):
        assert result.startswith("x" * 99)
        assert result.endswith("[truncated: showing 1 of more than 2 lines]")


def test_a_slow_command_ends_at_the_time_limit(tmp_path: Path) -> None:
    with (tmp_path / "endless.txt").open("wb") as file:
        file.truncate(1 << 37)  # a file of holes: minutes to count its words
    tools = WorkspaceTools(tmp_path, time_limit_s=0.2)
    assert tools.run_command("wc -w endless.txt") == "error: stopped after 0.2 s"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is the kernel's")
def test_a_pattern_that_takes_all_memory_is_stopped(place: Place) -> None:
    began = time.monotonic()
    result = place.tools.run_command("grep -E '((a{1,200}){1,200}){1,200}' patterns.txt")
    assert result.startswith("error: ")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.py", "no such file"),
        ("", "empty"),
        ("a\0b", "control"),
        ("\ud800", "no such file"),
        ("x" * 5000, "no such file"),
        ("accounts", "is a folder"),
        ("pipe", "neither"),
        ("link.txt", "outside"),
        ("link/secret.txt", "outside"),
        ("accounts/up/secret.txt", "outside"),
        ("../outside/secret.txt", "outside"),
        ("/etc/passwd", "outside"),
        ("/dev/zero", "outside"),
        ("~/x", "outside"),
        ("loop", "loop"),
    ],
)
def test_read_file_refuses(place: Place, path: str, reason: str) -> None:
    result = place.tools.read_file(path)
    assert result.startswith("error: ")
    assert reason in result
    assert SECRET not in result


def test_read_file_reads_through_a_link_that_stays_inside(place: Place) -> None:
    assert place.tools.read_file("inner/views.py") == VIEWS.rstrip("\n")
    assert place.tools.read_file("./accounts/../patterns.txt") == "await"


def test_odd_bytes_become_harmless_text(place: Place) -> None:
    (place.project / "odd.bin").write_bytes(b"a\x1b[31m\x00\xff\r\nb\tc\n")
    assert place.tools.read_file("odd.bin") == "a\ufffd[31m\ufffd\ufffd\nb\tc"
    (place.project / "empty.py").touch()
    assert place.tools.read_file("empty.py") == "(empty file)"


def test_a_socket_inside_the_workspace_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = socket.socket(socket.AF_UNIX)
    with server:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        server.bind("s")
    assert "neither" in WorkspaceTools(tmp_path).read_file("s")


def test_a_workspace_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="not a folder"):
        WorkspaceTools(tmp_path / "missing")


WORDS = st.sampled_from(
    [
        *POLICY, "-r", "-R", "-rn", "-rf", "-f", "-L", "-H", "-l", "-c", "-A", "-e", "-n", "-1", "--", "-", "5",
        "-exec", "-delete", "-fprint", "-follow", "-name", "-type", "f", "-maxdepth", "-o", "!", "(", ")", ";",
        "{}", "+", "--file=link.txt", "--files0-from=list0", "--include=*", "--exclude-from", "--dereference",
        ".", "..", "./", "../outside", "../outside/secret.txt", "link", "link/", "link.txt", "link/secret.txt",
        "accounts", "accounts/up", "accounts/up/secret.txt", "inner", "inner/up", "loop", "*", "*/*", "l*/*",
        "l*", "../*", "[l-m]*", "~", "list0", "patterns.txt", "secret.txt", "out", ">", ">out", "|", "&&", "-rf",
        "'.'", '"', "'", "\\", "$(cat link.txt)", "`cat link.txt`", "hunter", "-fhunter", "h.*r", "''",
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def lasting_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("property"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=st.sampled_from(list(POLICY)), words=st.lists(WORDS | st.text(max_size=4), max_size=6))
def test_no_command_reads_the_secret_or_changes_anything(
    lasting_place: Place, program: str, words: list[str]
) -> None:
    before = lasting_place.snapshot()
    result = lasting_place.tools.run_command(" ".join([program, *words]))
    assert "hunter2" not in result
    assert lasting_place.snapshot() == before


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(WORDS | st.text(max_size=3), min_size=1, max_size=5))
def test_no_path_reads_the_secret(lasting_place: Place, parts: list[str]) -> None:
    assert "hunter2" not in lasting_place.tools.read_file("/".join(parts))
