"""One line that gives an agent the whole span tree: `instrument(agent)`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punie.trace import semconv
from punie.trace.telemetry.provider import Telemetry, attach, configure_unopened, configured_provider

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent

_LONGEST_NAME: Final = 60
_lock: Final = threading.Lock()
_telemetries: dict[Path | None, Telemetry] = {}


def instrument(
    agent: AbstractAgent[Any, Any],
    *,
    journal_dir: Path | str | None = None,
    service_name: str = semconv.SERVICE_AGENT,
    telemetry: Telemetry | None = None,
) -> Telemetry:
    """Record every run of `agent`: the agent, its model requests, their HTTP, its tools, the parsing.

    Spans go to `journal_dir`, by default `runs/TIME-NAME/spans` under the working directory; agents that are
    instrumented without one share the first one's. The first span makes the file. If that can't be done the program
    goes on, and a log line says what is lost. If the process has a tracer provider (its own `logfire.configure()`, say,
    called before), the journal is added to it and what it exports stays as it is. Prompts and answers are recorded in
    the journal, which is local. `telemetry` is a handle made before, in place of the other arguments. Doing it twice
    changes nothing but where the spans go.
    """
    from punie.trace.telemetry.agent.capabilities import RunCapabilities, add_to_agent
    from punie.trace.telemetry.http.transports import instrument_http

    telemetry = telemetry or _shared(journal_dir, service_name, agent.name or "agent")
    add_to_agent(agent, RunCapabilities.writing_to(telemetry, instrument_http(telemetry)))
    return telemetry


def uninstrument(agent: AbstractAgent[Any, Any]) -> None:
    """Runs of `agent` that start from now on are not recorded by us."""
    from punie.trace.telemetry.agent.capabilities import remove_from_agent

    remove_from_agent(agent)


@contextmanager
def every_agent_instrumented(telemetry: Telemetry) -> Iterator[None]:
    """Record the runs of every PydanticAI agent of this process in `telemetry`, whoever else instrumented it.

    For a process that is ours: an agent that asks another one in a tool is seen whole.
    """
    from punie.trace.telemetry.agent.capabilities import (
        RunCapabilities,
        add_to_every_agent,
        remove_from_every_agent,
    )
    from punie.trace.telemetry.http.transports import instrument_http, uninstrument_http

    add_to_every_agent(RunCapabilities.writing_to(telemetry, instrument_http(telemetry)))
    try:
        yield
    finally:
        remove_from_every_agent()
        uninstrument_http(telemetry)


def _shared(journal_dir: Path | str | None, service_name: str, agent_name: str) -> Telemetry:
    key = None if journal_dir is None else Path(journal_dir).resolve()
    with _lock:
        known = _telemetries.get(key)
        if known is None or known.journal.closed:
            directory = key or _default_directory(agent_name)
            provider = configured_provider()
            _telemetries[key] = (
                configure_unopened(directory, service_name)
                if provider is None
                else attach(provider, directory, service_name)
            )
        return _telemetries[key]


def _default_directory(agent_name: str) -> Path:
    started = datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
    name = re.sub(r"[^\w.-]+", "-", agent_name)[:_LONGEST_NAME]
    folder = Path("runs") / f"{started}-{name}" / "spans"
    # the working directory may be gone: then nothing can be written, and that is said
    with suppress(OSError):
        folder = folder.absolute()
    return folder
