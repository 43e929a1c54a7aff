"""What `instrument` gives to a run of an agent: our capabilities, and where they are put in.

An agent that exists takes capabilities only per run, by a parameter of `iter`; `run` and the others call `iter`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics
from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability, Instrumentation
from pydantic_ai.models.instrumented import InstrumentationSettings

from punie.trace.telemetry.agent.parse import ParseSpans
from punie.trace.telemetry.agent.spans import AgentSpans

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent
    from pydantic_ai.capabilities import AgentCapability

    from punie.trace.telemetry.http.attempts import AttemptLog
    from punie.trace.telemetry.provider import Telemetry

_ORIGINAL: Final = "_punie_trace_iter"


@dataclass(frozen=True, slots=True)
class RunCapabilities:
    """Ours for a run: `alone`, or `beside` where the agent has an `Instrumentation`, whose place the first takes.

    `alone` is None where somebody else exports the spans as well: they get PydanticAI's own.
    """

    alone: AbstractCapability[Any] | None
    beside: tuple[AbstractCapability[Any], ...]

    @classmethod
    def writing_to(cls, telemetry: Telemetry, attempts: AttemptLog) -> RunCapabilities:
        """Capabilities whose spans go to `telemetry`; `attempts` knows its HTTP requests."""
        settings = InstrumentationSettings(
            tracer_provider=telemetry.tracer_provider,
            meter_provider=metrics.NoOpMeterProvider(),  # what we report is read from spans
            include_content=True,
            include_model_request_parameters=False,  # the tools stand under `gen_ai.tool.definitions` already
        )
        alone, parse = (
            kind(settings=settings, tracer=telemetry.tracer, attempts=attempts, clock=telemetry.clock)
            for kind in (AgentSpans, ParseSpans)
        )
        return cls(None if telemetry.attached else alone, (Instrumentation(settings=settings), parse))

    def added_to(
        self, given: Sequence[AgentCapability[Any]], agent: AbstractAgent[Any, Any]
    ) -> Sequence[AgentCapability[Any]]:
        """The capabilities `given` to a run of `agent`, and ours, which are added once."""
        if any(one is ours for one in given for ours in (self.alone, *self.beside)):
            return given
        if self.alone is None or _may_instrument([agent.root_capability, *given]):
            return [*given, *self.beside]
        return [*given, self.alone]


def add_to_agent(agent: AbstractAgent[Any, Any], ours: RunCapabilities) -> None:
    """Give every run of `agent` our capabilities, in place of those that it was given before."""
    original = vars(agent).get(_ORIGINAL, agent.iter)

    @functools.wraps(original)
    def traced_iter(*args: Any, capabilities: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401 # as `iter`
        given = (_everywhere or ours).added_to(capabilities or (), agent)
        return original(*args, capabilities=given, **kwargs)

    setattr(agent, _ORIGINAL, original)
    setattr(agent, "iter", traced_iter)  # noqa: B010 # a method of one instance


def remove_from_agent(agent: AbstractAgent[Any, Any]) -> None:
    """Undo `add_to_agent`, for runs that start from now on."""
    if _ORIGINAL in vars(agent):
        delattr(agent, "iter")
        delattr(agent, _ORIGINAL)


_everywhere: RunCapabilities | None = None
_original_iter: Final[Callable[..., Any]] = Agent.iter


def add_to_every_agent(ours: RunCapabilities) -> None:
    """Give every run of any `Agent` of this process our capabilities; those of single agents step back for them.

    It replaces a method of PydanticAI's class, so it is for a process that is ours.
    """
    global _everywhere  # one class, one replacement
    _everywhere = ours

    @functools.wraps(_original_iter)
    def traced_iter(agent: Any, *args: Any, capabilities: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401 # as `iter`
        return _original_iter(agent, *args, capabilities=ours.added_to(capabilities or (), agent), **kwargs)

    setattr(Agent, "iter", traced_iter)  # noqa: B010 # mypy: a method is no variable


def remove_from_every_agent() -> None:
    """Undo `add_to_every_agent`."""
    global _everywhere  # as above
    _everywhere = None
    setattr(Agent, "iter", _original_iter)  # noqa: B010 # as above


def _may_instrument(capabilities: Iterable[AgentCapability[Any]]) -> bool:
    leaves: list[AbstractCapability[Any]] = []
    for capability in capabilities:
        if not isinstance(capability, AbstractCapability):  # a function: what it makes is not known yet
            return True
        capability.apply(leaves.append)
    return any(isinstance(leaf, Instrumentation) for leaf in leaves)
