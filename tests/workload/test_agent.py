"""`--agent module:attribute`: an agent, a function that makes one, dependencies, and every way to fail."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from loopback import serving_http
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models import Model
from pydantic_ai.models.test import TestModel

from punie.trace.errors import ExitCode, WorkloadError
from punie.trace.server.address import ServerAddress
from punie.trace.workload import subject as subject_module
from punie.trace.workload.agent import server_model
from punie.trace.workload.agent_runner import AgentRunner
from punie.trace.workload.subject import Subject, SubjectSource, load_subject

MODULES = count()


class Loader(Protocol):
    """Loads `attribute` of a module with `source` in the working directory."""

    def __call__(self, source: str, attribute: str = "agent") -> SubjectSource: ...


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def load(source: str, attribute: str = "agent") -> SubjectSource:
        name = f"users_module_{next(MODULES)}"
        (tmp_path / f"{name}.py").write_text(source)
        return load_subject(f"{name}:{attribute}")

    return load


class Refusing(BaseHTTPRequestHandler):
    """Quotes the key that it refuses, as some servers do."""

    def do_POST(self) -> None:
        body = (
            b'{"error": {"message": "no such key: %s"}}' % self.headers["Authorization"].split()[1].encode()
        )
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_key_that_a_server_quotes_is_in_no_error() -> None:
    with serving_http(Refusing) as url:
        address = ServerAddress.of(url, api_key="sekret")
        with pytest.raises(ModelAPIError, match="no such key: …"):
            asyncio.run(_ask_once(server_model(address, "m", {}, timeout_s=20)))


async def _ask_once(model: Model) -> None:
    async with model:
        await Agent(model).run("?")


class Whole(Refusing):
    """Can't stream."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'\n {"choices": [], "key": "%s"}' % self.headers["Authorization"].encode())


class Gone(Refusing):
    """Ends every connection."""

    def do_POST(self) -> None:
        self.close_connection = True


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (
            Whole,
            r'ConnectionError: the server sent a whole .*--no-stream.*: \{"choices": \[\], "key": "Bearer …"\}',
        ),
        (Gone, r"ModelConnectionError: Connection error\. \(RemoteProtocolError: Server disconnected .*\)"),
    ],
)
def test_what_came_in_place_of_a_stream_is_said(server: type[BaseHTTPRequestHandler], sentence: str) -> None:
    with serving_http(server) as url:
        model = server_model(ServerAddress.of(url, api_key="sekret"), "m", {}, timeout_s=20)
        agent = Agent[None, str](defer_model_check=True)
        reply = asyncio.run(AgentRunner(Subject(agent), model, True, 20, clock=lambda: 0).answer("?"))
    assert re.fullmatch(sentence, reply.error or ""), reply.error


AGENT = "from pydantic_ai import Agent\nagent = Agent(name='theirs', defer_model_check=True)\n"


MADE = {
    "an agent": "made = agent",
    "an attribute of an object": "class Bot:\n    made = agent\nbot = Bot()",
    "a wrapped agent": "from pydantic_ai.agent import WrapperAgent\nmade = WrapperAgent(agent)",
    "a function": "def made(): return agent",
    "a class of agents": "class made(Agent):\n    def __init__(self):\n"
    "        super().__init__(name='theirs', defer_model_check=True)",
    "an async function": "async def made(): return agent",
    "a coroutine": "async def make(): return agent\nmade = make()",
    "a function that returns a coroutine": "async def make(): return agent\ndef made(): return make()",
    "a context manager": "@contextmanager\ndef made():\n    entered.append(1)\n    yield agent\n    left.append(1)",
    "an async context manager": "@asynccontextmanager\nasync def made():\n    entered.append(1)\n    yield agent\n"
    "    left.append(1)",
    "one in an async function": "@asynccontextmanager\nasync def open_it():\n    entered.append(1)\n    yield agent\n"
    "    left.append(1)\nasync def made(): return open_it()",
}
WITH_DEPENDENCIES = {
    "a pair": "made = agent, 'a database'",
    "a function of a pair": "def made(): return agent, 'a database'",
    "an async function of a pair": "async def made(): return agent, 'a database'",
    "a context manager of a pair": "@asynccontextmanager\nasync def made():\n    entered.append(1)\n"
    "    yield agent, 'a database'\n    left.append(1)",
}


@pytest.mark.parametrize(
    ("source", "deps"),
    [
        *((source, None) for source in MADE.values()),
        *((each, "a database") for each in WITH_DEPENDENCIES.values()),
    ],
    ids=[*MADE, *WITH_DEPENDENCIES],
)
def test_what_may_be_named(loaded: Loader, source: str, deps: object) -> None:
    head = f"from contextlib import asynccontextmanager, contextmanager\nentered, left = [], []\n{AGENT}"
    source_of_it = loaded(f"{head}{source}\n", "bot.made" if "Bot" in source else "made")
    module = sys.modules[f"users_module_{next(MODULES) - 1}"]

    async def look() -> None:
        async with source_of_it.opened(pytest.fail) as subject:
            assert (subject.agent.name, subject.deps) == ("theirs", deps)
            assert not module.left

    asyncio.run(look())
    assert len(module.left) == len(module.entered) == ("yield" in source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("async def agent(): raise OSError('no database')", "making the agent failed: OSError: no database"),
        (
            "async def agent(): import sys; sys.exit('no license')",
            "making the agent failed: SystemExit: no license",
        ),
        ("async def agent(): return 3", "expected a pydantic_ai.Agent, but it is a int"),
        ("async def agent(): yield 3", "expected a pydantic_ai.Agent, but it is a async_generator"),
        ("agent = open(__file__)", "expected a pydantic_ai.Agent, but it is a TextIOWrapper"),
    ],
)
def test_what_fails_when_it_is_opened_is_a_sentence_too(loaded: Loader, source: str, message: str) -> None:
    async def look() -> None:
        async with loaded(source).opened(pytest.fail):
            pytest.fail("opened")

    with pytest.raises(WorkloadError, match=re.escape(message)):
        asyncio.run(look())


async def _open_and_leave(subject: SubjectSource, said: list[str]) -> None:
    async with subject.opened(said.append):
        pass


def test_what_fails_at_the_end_or_is_missing_is_said(loaded: Loader) -> None:
    source = (
        "from contextlib import contextmanager\nfrom pydantic_ai import Agent\n@contextmanager\ndef agent():\n"
        "    yield Agent(name='theirs', deps_type=int, defer_model_check=True)\n    raise OSError('no end')\n"
    )
    said: list[str] = []
    asyncio.run(_open_and_leave(loaded(source), said))
    missing, end = said
    assert missing.startswith("the agent theirs declares dependencies (int) and is given none")
    assert end.endswith("what it does at its end failed: OSError: no end")


def test_what_takes_long_to_make_or_to_end_is_said_and_ended(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject_module, "_SLOW_S", 0.05)
    monkeypatch.setattr(subject_module, "LONGEST_END_S", 0.2)
    source = (
        f"import asyncio\nfrom contextlib import asynccontextmanager\n{AGENT.replace('agent =', 'made =')}"
        "@asynccontextmanager\nasync def agent():\n    await asyncio.sleep(0.3)\n    yield made\n"
        "    await asyncio.sleep(1000)\n"
    )
    said: list[str] = []
    asyncio.run(_open_and_leave(loaded(source), said))
    slow, slow_end, end = said
    assert slow.endswith("is still being made, after 0.05 s")
    assert slow_end.endswith("what it does at its end still runs, after 0.05 s")
    assert end.endswith("what it does at its end took more than 0.2 s")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import nothing_like_it",
            "can't import users_module_{}: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        ("def (", "can't import users_module_{}: SyntaxError: "),
        ("{}['DATABASE_URL']", "can't import users_module_{}: KeyError: 'DATABASE_URL'"),
        ("import sys; sys.exit('no license')", "can't import users_module_{}: SystemExit: no license"),
        ("class Own(BaseException): ...\nraise Own()", "can't import users_module_{}: Own"),
        (
            "raise ValueError('first line\\nsecond line')",
            "can't import users_module_{}: ValueError: first line",
        ),
        ("def agent(): raise OSError('no database')", "agent() failed: OSError: no database"),
        ("def agent(need): ...", "agent() failed: TypeError: "),
        ("other = 1", "expected a pydantic_ai.Agent, but there is no agent in "),
        ("agent = 1", "expected a pydantic_ai.Agent, but it is a int"),
        ("def agent(): return 'x'", "expected a pydantic_ai.Agent, but it is a str"),
    ],
)
def test_whatever_the_module_does_is_one_sentence_that_names_it(
    loaded: Loader, source: str, message: str
) -> None:
    with pytest.raises(WorkloadError) as caught:
        loaded(source)
    number = next(MODULES) - 1
    assert caught.value.message.startswith(f"--agent users_module_{number}:agent: {message.format(number)}")
    assert "\n" not in caught.value.message
    assert caught.value.exit_code is ExitCode.WORKLOAD


@pytest.mark.parametrize("reference", ["agents", ":agent", "agents:", ""])
def test_a_reference_needs_both_parts(reference: str) -> None:
    with pytest.raises(WorkloadError, match="expected module:attribute"):
        load_subject(reference)


@pytest.mark.parametrize(
    ("reference", "message", "remedy"),
    [
        ("shop/my-agents.py:agent", "is a file", "--agent shop.my-agents:agent"),
        ("shop/agents:agent", "is a file", "--agent shop.agents:agent"),
        (
            "src/shop/agents.py:agent",
            "is a file",
            "--agent shop.agents:agent; shop is in src/: install it (pip install -e .), or begin with PYTHONPATH=src",
        ),
        ("/home/me/shop/agents.py:make()", "is a file", "cd /home/me/shop, and --agent agents:make"),
        (
            "lab.ipynb:agent",
            "is a notebook",
            "save the agent's cells as a module (jupyter nbconvert --to script)",
        ),
        (
            "lab.ipynb",
            "is a notebook",
            "save the agent's cells as a module (jupyter nbconvert --to script)",
        ),
        ("shop.agents.agent", "expected module:attribute", "--agent shop.agents:agent"),
        (
            "shop/agents.py",
            "is a file",
            "--agent shop.agents:NAME, where NAME is the agent's in that file",
        ),
    ],
)
def test_what_is_no_reference_is_refused_with_what_to_write_instead(
    reference: str, message: str, remedy: str
) -> None:
    with pytest.raises(WorkloadError, match=message) as caught:
        load_subject(reference)
    assert caught.value.remedy == remedy


def test_a_call_may_be_written_and_the_agents_that_are_there_are_named(loaded: Loader) -> None:
    loaded(f"{AGENT}def make(): return agent\n", "make()")
    with pytest.raises(WorkloadError, match=r"there is no agnet in .*\.py; it has agent"):
        loaded(AGENT, "agnet")


def test_a_file_of_the_users_takes_no_librarys_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "this.py").write_text("raise RuntimeError('taken for the library')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(WorkloadError, match=r"this:agent: expected .* there is no agent in .*this\.py"):
        load_subject("this:agent")


def test_a_module_may_go_to_another_folder_and_takes_nobody_with_it(loaded: Loader, tmp_path: Path) -> None:
    """The agent works there, run after run; what the commands write stays where its user is."""
    (tmp_path / "theirs").mkdir()
    tool = "@agent.tool_plain\ndef where() -> str:\n    import os\n    return os.getcwd()\n"
    source = f"import os\n{AGENT}{tool}os.chdir('theirs')\nasync def make(): return agent\n"
    plain = loaded(source)
    async_one = load_subject(f"users_module_{next(MODULES) - 1}:make")
    model = TestModel()

    async def answers() -> None:
        for each in (plain, async_one):
            async with each.opened(pytest.fail) as subject:
                reply = await AgentRunner(subject, model, False, 20, clock=lambda: 0).answer("?")
                assert reply.answer.text == json.dumps(
                    {"where": str(tmp_path / "theirs")}, separators=(",", ":")
                )

    asyncio.run(answers())
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        (
            "import sys; sys.exit(2)",
            "it is imported, not run: what reads flags or ends the program belongs under",
        ),
        ("raise EOFError", "it is imported, not run: what asks its user belongs under"),
        ("def agent(settings): ...", "it is called without arguments"),
        ("import not_a_package", "run it in the folder of the module"),
        ("import in_src", "run it in the folder of the module"),
        ("from json import nothing", "install what it needs"),
        (
            "from .base import make",
            "its package imports it: from the folder above, --agent PACKAGE.users_module_",
        ),
    ],
)
def test_the_next_step_fits_what_the_module_did(loaded: Loader, source: str, remedy: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        loaded(source)
    assert caught.value.remedy.startswith(remedy)


def test_a_module_that_reads_flags_sees_none_of_ours(loaded: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["punie-trace", "run", "--agent", "x"])
    read = "argparse.ArgumentParser().parse_args()\n"
    loaded(f"import argparse\n{read}{AGENT}")
    made = loaded(
        f"import argparse\n{AGENT.replace('agent =', 'made =')}async def agent():\n    {read}    return made\n"
    )

    async def look() -> None:
        async with made.opened(print):
            assert sys.argv[1] == "run"

    asyncio.run(look())
    assert sys.argv[1] == "run"


def test_a_package_below_src_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src" / "shop_in_src").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(WorkloadError) as caught:
        load_subject("shop_in_src.agents:agent")
    assert caught.value.remedy.startswith("shop_in_src is in src/: install it")
