"""One line that gives an agent the whole span tree: `instrument(agent)`."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punie.trace import semconv
from punie.trace.telemetry.provider import Telemetry, attach, configure, configured_provider, no_metrics

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent
    from pydantic_ai.capabilities import AbstractCapability, AgentCapability

    from punie.trace.telemetry.http.attempts import AttemptLog

_ORIGINAL: Final = "_punie_trace_iter"
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
    instrumented without one share the first one's. If the process has a tracer provider (its own
    `logfire.configure()`, say, called before), the journal is added to it and what it exports stays as it is.
    Prompts and answers are recorded in the journal, which is local. `telemetry` is a handle made before, in
    place of the other arguments. Doing it twice changes nothing but where the spans go.

    Raises `ExportError` if the journal can't be written.
    """
    from punie.trace.telemetry.http.transports import instrument_http

    telemetry = telemetry or _shared(journal_dir, service_name, agent.name or "agent")
    attempts = instrument_http(telemetry)
    _add_to_runs(agent, _capabilities(telemetry, attempts))
    return telemetry


def uninstrument(agent: AbstractAgent[Any, Any]) -> None:
    """Runs of `agent` that start from now on are not recorded by us."""
    if _ORIGINAL in vars(agent):
        delattr(agent, "iter")
        delattr(agent, _ORIGINAL)


@dataclass(frozen=True, slots=True)
class _Capabilities:
    """Ours for a run: one, or two where the agent has an `Instrumentation` of its own, whose place the first takes.

    `one` is None where somebody else exports the spans as well: they get PydanticAI's own.
    """

    one: AbstractCapability[Any] | None
    beside: tuple[AbstractCapability[Any], ...]

    def for_run(
        self, agent: AbstractAgent[Any, Any], given: Sequence[AgentCapability[Any]]
    ) -> Sequence[AgentCapability[Any]]:
        """What to add to the capabilities `given` to a run of `agent`."""
        if self.one is None or _may_instrument([agent.root_capability, *given]):
            return self.beside
        return (self.one,)


def _capabilities(telemetry: Telemetry, attempts: AttemptLog) -> _Capabilities:
    from pydantic_ai.capabilities import Instrumentation
    from pydantic_ai.models.instrumented import InstrumentationSettings

    from punie.trace.telemetry.agent.parse import ParseSpans
    from punie.trace.telemetry.agent.spans import AgentSpans

    settings = InstrumentationSettings(
        tracer_provider=telemetry.own_provider,
        meter_provider=no_metrics(),
        include_content=True,
        include_model_request_parameters=False,  # the tools stand under `gen_ai.tool.definitions` already
    )
    one, beside = (
        capability(settings=settings, tracer=telemetry.tracer, attempts=attempts, clock=telemetry.clock)
        for capability in (AgentSpans, ParseSpans)
    )
    return _Capabilities(None if telemetry.attached else one, (Instrumentation(settings=settings), beside))


def _may_instrument(capabilities: Iterable[AgentCapability[Any]]) -> bool:
    from pydantic_ai.capabilities import AbstractCapability, Instrumentation

    leaves: list[AbstractCapability[Any]] = []
    for capability in capabilities:
        if not isinstance(capability, AbstractCapability):  # a function: what it makes is not known yet
            return True
        capability.apply(leaves.append)
    return any(isinstance(leaf, Instrumentation) for leaf in leaves)


def _add_to_runs(agent: AbstractAgent[Any, Any], ours: _Capabilities) -> None:
    """Give every run our capabilities, by the parameter that `iter` has for that; `run` and the others call it.

    An agent that exists takes capabilities only per run.
    """
    original = vars(agent).get(_ORIGINAL, agent.iter)

    @functools.wraps(original)
    def traced_iter(*args: Any, capabilities: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401 # as `iter`
        given = capabilities or ()
        return original(*args, capabilities=[*given, *ours.for_run(agent, given)], **kwargs)

    setattr(agent, _ORIGINAL, original)
    setattr(agent, "iter", traced_iter)  # noqa: B010 # a method of one instance


def _shared(journal_dir: Path | str | None, service_name: str, agent_name: str) -> Telemetry:
    key = None if journal_dir is None else Path(journal_dir).resolve()
    with _lock:
        known = _telemetries.get(key)
        if known is None or known.journal.closed:
            directory = key or _default_directory(agent_name)
            provider = configured_provider()
            _telemetries[key] = (
                configure(directory, service_name)
                if provider is None
                else attach(provider, directory, service_name)
            )
        return _telemetries[key]


def _default_directory(agent_name: str) -> Path:
    started = datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
    name = re.sub(r"[^\w.-]+", "-", agent_name)
    return Path("runs") / f"{started}-{name}" / "spans"
