"""`--agent module:attribute`: an agent, a function that makes one, dependencies, and every way to fail."""

from __future__ import annotations

import asyncio
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

from punie.trace.errors import ExitCode, WorkloadError
from punie.trace.server.address import ServerAddress
from punie.trace.workload.agent import Subject, load_subject, server_model

MODULES = count()


class Loader(Protocol):
    """Loads `attribute` of a module with `source` in the working directory."""

    def __call__(self, source: str, attribute: str = "agent") -> Subject: ...


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def load(source: str, attribute: str = "agent") -> Subject:
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


AGENT = "from pydantic_ai import Agent\nagent = Agent(name='theirs', defer_model_check=True)\n"


@pytest.mark.parametrize(
    ("source", "deps"),
    [
        (AGENT, None),
        (f"{AGENT}def made():\n    return agent\n", None),
        (f"{AGENT}def made():\n    return agent, 'a database'\n", "a database"),
        (f"{AGENT}pair = (agent, 3)\n", 3),
    ],
    ids=["an agent", "a function", "a function with dependencies", "a pair"],
)
def test_what_may_be_named(loaded: Loader, source: str, deps: object) -> None:
    attribute = "made" if "def made" in source else "pair" if "pair" in source else "agent"
    subject = loaded(source, attribute)
    assert (subject.agent.name, subject.deps) == ("theirs", deps)


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
        ("other = 1", "agent is no such attribute, not a pydantic_ai.Agent"),
        ("agent = 1", "agent is a int, not a pydantic_ai.Agent"),
        ("async def agent(): pass", "agent is an async function, not a pydantic_ai.Agent"),
        ("def agent(): return 'x'", "agent is a str, not a pydantic_ai.Agent"),
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


def test_a_file_of_the_users_takes_no_librarys_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "this.py").write_text("raise RuntimeError('taken for the library')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(WorkloadError, match="this:agent: agent is no such attribute"):
        load_subject("this:agent")
