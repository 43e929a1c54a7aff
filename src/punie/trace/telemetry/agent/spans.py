"""The spans of an agent's run and of its model requests, by the GenAI conventions: PydanticAI's, made for less.

PydanticAI's own `Instrumentation` prepares each request a second time, looks up prices, writes every message twice and
describes its JSON for one backend: on a local model that is more than all other tracing together. What it records of a
run and a request is recorded here under the same names, but for prices, metrics and `pydantic_ai.all_messages` (it is
the last request's messages and its answer). Tools, output functions and realtime sessions stay its own work.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.messages import InstructionPart
from pydantic_ai.usage import RequestUsage, RunUsage

from punie.trace import semconv
from punie.trace.telemetry.agent.cut_streams import CUT_STREAMS
from punie.trace.telemetry.agent.finish import finish_reason, is_broken
from punie.trace.telemetry.agent.parse import ParseSpans, digest_attributes, name_query
from punie.trace.telemetry.digest import PromptReader, compact_json
from punie.trace.telemetry.http.attempts import Body
from punie.trace.telemetry.http.span import CUT_SHORT, CUT_SHORT_TEXT
from punie.trace.telemetry.journal.processor import made_current

if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai.capabilities.abstract import (
        ValidatedToolArgs,
        WrapModelRequestHandler,
        WrapRunHandler,
        WrapToolExecuteHandler,
    )
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model, ModelRequestContext, ModelRequestParameters
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.run import AgentRunResult

_SETTINGS: Final = ("max_tokens", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_NS_PER_SECOND: Final = 1_000_000_000

Attributes = dict[str, AttributeValue]
_logger: Final = logging.getLogger(__name__)


@dataclass
class AgentSpans(ParseSpans, Instrumentation):
    """PydanticAI's instrumentation and ours as one capability: it calls every hook of each for every turn.

    Not for an agent that has an `Instrumentation` of its own: two classes can't share its place.
    """

    _: KW_ONLY
    settings: InstrumentationSettings
    _usage: RunUsage = field(default_factory=RunUsage, repr=False, init=False)
    _cut_short: bool = field(default=False, repr=False, init=False)
    _identity: Attributes = field(default_factory=dict, repr=False, init=False)

    async def for_run(self, ctx: RunContext[Any]) -> AgentSpans:
        """A copy that remembers one run."""
        mine = copy.copy(self)
        mine.begin(ctx)
        return mine

    def begin(self, ctx: RunContext[Any]) -> None:
        """Forget every run but the one that begins."""
        self._agent_name = (ctx.agent.name if ctx.agent else None) or "agent"
        self._prompts = PromptReader()
        self._usage = RunUsage()
        self._cut_short = False
        self._identity = {semconv.AGENT_NAME[0]: self._agent_name}
        if ctx.run_id:
            self._identity[semconv.AGENT_CALL_ID] = ctx.run_id
        if ctx.conversation_id:
            self._identity[semconv.CONVERSATION_ID] = ctx.conversation_id

    async def wrap_run(self, ctx: RunContext[Any], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        """The span of a run."""
        if ctx.realtime:
            return await super().wrap_run(ctx, handler=handler)
        attributes = {semconv.OPERATION: semconv.OPERATION_AGENT, **self._identity}
        if ctx.model is not None:
            attributes[semconv.REQUEST_MODEL] = ctx.model.model_name
        with self._open(
            f"{semconv.OPERATION_AGENT} {self._agent_name}", SpanKind.INTERNAL, attributes
        ) as span:
            name_query(span, ctx)
            try:
                result = await _unless_abandoned(span, handler())
                span.set_attributes(_known(lambda: {semconv.FINAL_RESULT: _text(result.output)}))
                if self._cut_short:  # nobody raised, and what came is no answer
                    _mark_cut_short(span)
                return result
            finally:
                span.set_attributes(self.settings.aggregated_usage_attributes(self._usage))

    async def wrap_model_request(
        self,
        ctx: RunContext[Any],
        *,
        request_context: ModelRequestContext,
        handler: WrapModelRequestHandler,
    ) -> ModelResponse:
        """The span of a model request, with what was asked and answered, and the decoding of the answer under it."""
        if ctx.realtime:
            return await super().wrap_model_request(ctx, request_context=request_context, handler=handler)
        model, begun_ns = request_context.model, self.clock()
        attributes = {
            semconv.OPERATION: semconv.OPERATION_CHAT[0],
            **self._identity,
            **_model_attributes(model),
        }
        with self._open(_chat(model), SpanKind.CLIENT, attributes, begun_ns) as span:
            outcome: Attributes = {}
            try:
                response = await handler(request_context)
                body = self._record_decoding(span, until_ns=self.clock())
                if body is not None and body.first_event_ns is not None:
                    seconds = (body.first_event_ns - begun_ns) / _NS_PER_SECOND
                    outcome[semconv.TIME_TO_FIRST_CHUNK[1]] = seconds
                self._cut_short = is_broken(response) or (body is not None and body.cut_short)
                if self._cut_short:
                    _mark_cut_short(span)
                    CUT_STREAMS.note(model.model_name)
                usage = _usage_of(response, body)
                self._usage.incr(usage)
                outcome |= _known(lambda: self._answer(response, usage))
                return response
            finally:
                if request_context.model is not model:  # a hook moved it to another one
                    span.update_name(_chat(request_context.model))
                    outcome |= _model_attributes(request_context.model)
                span.set_attributes(_known(lambda: self._request(request_context)) | outcome)

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        handler: WrapToolExecuteHandler,
        **known: Any,  # noqa: ANN401 # the call, handed on
    ) -> Any:  # noqa: ANN401 # what the tool returns
        """PydanticAI's span of a tool that runs, and whose it is: that comes from baggage there, which would travel."""

        async def identified(args: ValidatedToolArgs) -> Any:  # noqa: ANN401 # as above
            trace.get_current_span().set_attributes(self._identity)
            return await handler(args)

        return await super().wrap_tool_execute(ctx, handler=identified, **known)

    def _request(self, context: ModelRequestContext) -> Attributes:
        """What was asked, as it was sent: the hooks inside of this one have done their work on `context`."""
        prompt = self._prompts.read(self.settings, context)
        parameters = context.model_request_parameters
        attributes: Attributes = {
            **digest_attributes(prompt),
            semconv.INPUT_MESSAGES: prompt.messages_json,
            **self.settings.system_instructions_attributes(_instructions(context)),
        }
        tools = _tools(parameters)
        if tools:
            attributes[semconv.TOOL_DEFINITIONS] = compact_json(tools)
        for name in _SETTINGS:
            value = (context.model_settings or {}).get(name)
            if isinstance(value, int | float):
                attributes[f"gen_ai.request.{name}"] = value
        return attributes

    def _answer(self, response: ModelResponse, usage: RequestUsage) -> Attributes:
        attributes: Attributes = {
            **usage.opentelemetry_attributes(),
            semconv.OUTPUT_MESSAGES: compact_json(self.settings.messages_to_otel_messages([response])),
        }
        if response.model_name:
            attributes[semconv.RESPONSE_MODEL] = response.model_name
        if response.provider_response_id is not None:
            attributes[semconv.RESPONSE_ID] = response.provider_response_id
        if (reason := finish_reason(response)) is not None:
            attributes[semconv.FINISH_REASONS] = (reason,)
        return attributes

    @contextmanager
    def _open(
        self, name: str, kind: SpanKind, attributes: Attributes, start_ns: int | None = None
    ) -> Iterator[trace.Span]:
        """A current span that an exception marks; one that isn't an `Exception` ends the work, and is no error."""
        span = self.tracer.start_span(
            name, kind=kind, attributes=attributes, start_time=self.clock() if start_ns is None else start_ns
        )
        try:
            with made_current(span):
                yield span
        except Exception as error:
            span.record_exception(error)
            span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
            raise
        # so ends this task, too, where the one that reads the stream has failed
        except asyncio.CancelledError:
            error_type = self.attempts.last_error(span.get_span_context())
            if error_type is not None:
                span.set_attribute(semconv.ERROR_TYPE, error_type)
                span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end(end_time=self.clock())


async def _unless_abandoned(span: trace.Span, running: Awaitable[AgentRunResult[Any]]) -> AgentRunResult[Any]:
    """What a run gives. One that its caller cancels or leaves has no result: it must not count as answered."""
    try:
        return await running
    except asyncio.CancelledError:
        span.set_attribute(semconv.ERROR_TYPE, asyncio.CancelledError.__qualname__)
        span.set_status(StatusCode.ERROR, "left before it had a result")
        raise


def _known(attributes_of: Callable[[], Attributes]) -> Attributes:
    """What `attributes_of` returns; nothing if it fails: a program's messages may have no text and be no less good."""
    try:
        return attributes_of()
    except Exception:
        _logger.exception("a part of what a span says is not known")
        return {}


def _mark_cut_short(span: trace.Span) -> None:
    span.set_attribute(semconv.ERROR_TYPE, CUT_SHORT)
    span.set_status(StatusCode.ERROR, CUT_SHORT_TEXT)


def _usage_of(response: ModelResponse, body: Body | None) -> RequestUsage:
    """PydanticAI adds up the usage of all events; servers that tell it in each tell what was used so far."""
    if body is None or body.usage is None:
        return response.usage
    last = body.usage
    cached = response.usage.cache_read_tokens if last.cached is None else last.cached
    return replace(
        response.usage, input_tokens=last.prompt, output_tokens=last.output, cache_read_tokens=cached
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else compact_json(value)


def _chat(model: Model) -> str:
    return f"{semconv.OPERATION_CHAT[0]} {model.model_name}"


def _model_attributes(model: Model) -> Attributes:
    return {
        semconv.PROVIDER[0]: model.system,
        semconv.REQUEST_MODEL: model.model_name,
        **_address(model.base_url or ""),
    }


@lru_cache(maxsize=64)
def _address(url: str) -> Attributes:
    try:
        parts = urlsplit(url)
        attributes = {semconv.SERVER_ADDRESS[0]: parts.hostname, semconv.SERVER_PORT[0]: parts.port}
    except ValueError:  # whoever wrote the model wrote the address: not ours to refuse
        return {}
    return {name: value for name, value in attributes.items() if value}


def _instructions(context: ModelRequestContext) -> str | None:
    parts = context.model_request_parameters.instruction_parts
    return InstructionPart.join(parts) if parts else None


def _tools(parameters: ModelRequestParameters) -> list[dict[str, Any]]:
    """The tools that the request offers the model, in the conventions' form."""
    return [
        {"type": "function", "name": tool.name}
        | ({"description": tool.description} if tool.description else {})
        | ({"parameters": tool.parameters_json_schema} if tool.parameters_json_schema else {})
        for tool in (*parameters.function_tools, *parameters.output_tools)
        if parameters.visibility_of(tool.name) != "withheld"
    ]
