"""What PydanticAI has no spans for: decoding a response, validating arguments and output.

|------------------ chat ------------------|
   |-------- POST --------||-- parse --|          from the last byte to the decoded response
                                          |-- parse --| |-- execute_tool --|     arguments validated
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue
from pydantic_ai.capabilities import AbstractCapability

from punie.trace import semconv
from punie.trace.model import Phase, Provenance
from punie.trace.telemetry.clock import Clock
from punie.trace.telemetry.digest import DigestedPrompt, PromptReader
from punie.trace.telemetry.http.attempts import AttemptLog, Body

if TYPE_CHECKING:
    from pydantic_ai import RunContext, ToolDefinition
    from pydantic_ai.capabilities.abstract import (
        RawOutput,
        RawToolArgs,
        ValidatedToolArgs,
        WrapModelRequestHandler,
        WrapOutputValidateHandler,
        WrapRunHandler,
        WrapToolValidateHandler,
    )
    from pydantic_ai.messages import AgentStreamEvent, ModelResponse, ToolCallPart
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.output import OutputContext
    from pydantic_ai.run import AgentRunResult

_PARSE = {semconv.PHASE: Phase.PARSE.value, semconv.PHASE_PROVENANCE: Provenance.CLIENT.value}


@dataclass
class ParseSpans(AbstractCapability[Any]):
    """A PydanticAI capability that writes the `parse` spans, and the prompt's digests on the `chat` span."""

    _: KW_ONLY
    settings: InstrumentationSettings
    tracer: trace.Tracer
    attempts: AttemptLog
    clock: Clock
    _prompts: PromptReader = field(default_factory=PromptReader, repr=False, init=False)

    @property
    def has_wrap_run_event_stream(self) -> bool:
        """Overriding the hook must not make an agent stream that wouldn't."""
        return False

    def wrap_run_event_stream(
        self, ctx: RunContext[Any], *, stream: AsyncIterable[AgentStreamEvent]
    ) -> AsyncIterable[AgentStreamEvent]:
        """Nothing of ours is in the events' way: what is inherited passes each of them on."""
        return stream

    async def wrap_run(self, ctx: RunContext[Any], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        """Name the query, if the run is one."""
        name_query(trace.get_current_span(), ctx)
        return await handler()

    async def wrap_model_request(
        self,
        ctx: RunContext[Any],
        *,
        request_context: ModelRequestContext,
        handler: WrapModelRequestHandler,
    ) -> ModelResponse:
        """Record the time from the body's last byte to the decoded response, and what was asked."""

        async def decoded(request_context: ModelRequestContext) -> ModelResponse:
            try:
                response = await handler(request_context)
                self._record_decoding(trace.get_current_span(), until_ns=self.clock())
                return response
            finally:
                self._set_digests(request_context)

        return await super().wrap_model_request(ctx, request_context=request_context, handler=decoded)

    async def wrap_tool_validate(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: RawToolArgs,
        handler: WrapToolValidateHandler,
    ) -> ValidatedToolArgs:
        """Record the validation of a tool call's arguments."""
        with self._parsing({semconv.TOOL_NAME: call.tool_name, semconv.TOOL_CALL_ID: call.tool_call_id}):
            return await handler(args)

    async def wrap_output_validate(
        self,
        ctx: RunContext[Any],
        *,
        output_context: OutputContext,
        output: RawOutput,
        handler: WrapOutputValidateHandler,
    ) -> Any:  # noqa: ANN401 # the agent's output type
        """Record the validation of structured output; a partial one, of a stream, is no answer yet."""
        if ctx.partial_output:
            return await handler(output)
        with self._parsing({}):
            return await handler(output)

    def _set_digests(self, request_context: ModelRequestContext) -> None:
        """Put digest and length of every message on the `chat` span, as they were sent."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attributes(digest_attributes(self._prompts.read(self.settings, request_context)))

    def _record_decoding(self, chat: trace.Span, *, until_ns: int) -> Body | None:
        """The `parse` span under `chat`, which is current, and the body that was decoded."""
        body = self.attempts.last_body(chat.get_span_context()) if chat.is_recording() else None
        if body is None or body.end_ns > until_ns:
            return None
        span = self.tracer.start_span(semconv.SPAN_PARSE, attributes=_PARSE, start_time=body.end_ns)
        span.end(end_time=until_ns)
        return body

    @contextmanager
    def _parsing(self, attributes: dict[str, str]) -> Iterator[None]:
        if not trace.get_current_span().is_recording():
            yield
            return
        span = self.tracer.start_span(
            semconv.SPAN_PARSE, attributes={**_PARSE, **attributes}, start_time=self.clock()
        )
        try:
            yield
        except BaseException as error:
            # Only the type: a validation error quotes the arguments, and those are content.
            span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end(end_time=self.clock())


def name_query(run: trace.Span, ctx: RunContext[Any]) -> None:
    """What a person knows a run by that nothing surrounds: the agent and the time of day, and what it was asked."""
    if not run.is_recording() or getattr(run, "parent", None) is not None:
        return
    agent = (ctx.agent.name if ctx.agent else None) or "agent"
    run.set_attribute(semconv.QUERY_NAME, f"{agent} {datetime.now().astimezone():%H:%M:%S.%f}"[:-3])
    if isinstance(ctx.prompt, str):
        run.set_attribute(semconv.QUERY_TEXT, ctx.prompt)


def digest_attributes(prompt: DigestedPrompt) -> dict[str, AttributeValue]:
    """Digest and length of every message of a prompt, as span attributes."""
    return {
        semconv.MESSAGE_DIGESTS: prompt.digest.digests,
        semconv.MESSAGE_LENGTHS: prompt.digest.lengths,
    }
