"""How `mlx_lm.server` works inside: where to listen. `answers.py` notes what passes; `contract.py` checks at start.

The way of a request through mlx_lm 0.32, and what we record of it:

    connection thread                              generation thread
    APIHandler.do_POST            begin
      ResponseGenerator.generate
        requests.put              queued   ──▶     requests.get
                                                   ModelProvider.load, _tokenize      queue ends; template
                                                   BatchGenerator.next (several)
                                                   or stream_generate (one alone)     prefill begins
        answers.get                        ◀──     answers.put(progress | token | error)
      ToolCallFormatter.__call__  parse              the first token ends prefill, the last one decode
    do_POST returns               finish

`server.run` ignores its handler class, so methods are replaced on the classes. Everything here is internal to
mlx_lm and changes between its versions: `contract.find_mismatches` first, then `listen`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial, wraps
from queue import Queue
from types import ModuleType

from punie.trace.telemetry.mlx.answers import Batches, ResponseQueue
from punie.trace.telemetry.mlx.attributes import LoadedModel, ServingPath
from punie.trace.telemetry.mlx.careful import careful
from punie.trace.telemetry.mlx.contract import Foreign
from punie.trace.telemetry.mlx.draft import DraftCounter, ToolCallText
from punie.trace.telemetry.mlx.messages import ChatPrompt, MessageCounter
from punie.trace.telemetry.mlx.recorder import Recorder
from punie.trace.telemetry.mlx.request import TRACE_HEADERS, RequestTrace

Original = Callable[..., Foreign]


def listen(server: ModuleType, recorder: Recorder, *, keep_tokens: bool = False) -> None:
    """Replace what has to be replaced in `mlx_lm.server`, for good. Answers stay what they are.

    `keep_tokens` puts the token ids of prompt and answer onto the spans.
    """
    listener = _Listener(recorder, keep_tokens=keep_tokens)
    _replace(server.APIHandler, "do_POST", listener.do_post)
    _replace(server.APIHandler, "send_response", listener.send_response)
    _replace(server.ResponseGenerator, "__init__", listener.init_generator)
    _replace(server.ResponseGenerator, "generate", listener.generate)
    _replace(server.ResponseGenerator, "_tokenize", listener.tokenize)
    _replace(server.ModelProvider, "load", listener.load)
    _put(server.ToolCallFormatter, "__call__", listener.formatting)
    _put(server.BatchGenerator, "next", listener.next_of_batch)
    _replace(server, "stream_generate", listener.stream_generate)


def _replace(owner: Foreign, name: str, listener: Callable[..., Foreign]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def listening(*args: Foreign, **kwargs: Foreign) -> Foreign:
        return listener(original, *args, **kwargs)

    setattr(owner, name, listening)


def _put(owner: Foreign, name: str, make: Callable[[Original], Original]) -> None:
    """As `_replace`, for what is called with every token: nothing stands between the caller and what `make` gives."""
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(make(original)))


class _Listener:
    """One method for each callable replaced; it gets the original first, then its arguments."""

    def __init__(self, recorder: Recorder, *, keep_tokens: bool) -> None:
        self.recorder = recorder
        self.keep_tokens = keep_tokens
        self._connection = threading.local()
        self._counter = MessageCounter()  # the writer's alone
        # The next two belong to the generation thread alone.
        self._newest: tuple[object, RequestTrace] | None = None  # the request that it took last
        self.batches = Batches()

    # --- connection threads ---

    def do_post(self, original: Original, handler: Foreign) -> None:
        with careful:
            headers = {name: value for name in TRACE_HEADERS if (value := handler.headers.get(name))}
            self._connection.trace = self.recorder.begin(headers, handler.path.partition("?")[0])
        try:
            original(handler)
        except BaseException as error:
            self._note_failure(error)
            raise
        finally:
            if (trace := self._current()) is not None:
                self._connection.trace = None
                with careful:
                    self.recorder.finish(trace)

    def send_response(
        self, original: Original, handler: Foreign, code: int, message: str | None = None
    ) -> None:
        if (trace := self._current()) is not None:
            trace.seen.status_code = int(code)
        original(handler, code, message)

    def init_generator(
        self, original: Original, generator: Foreign, *args: Foreign, **kwargs: Foreign
    ) -> None:
        original(generator, *args, **kwargs)
        # Its thread looks the queue up each time, and no connection is accepted before this returns.
        generator.requests = _Requests(self)

    def generate(self, original: Original, *args: Foreign, **kwargs: Foreign) -> Foreign:
        try:
            return original(*args, **kwargs)
        except Exception as error:
            self._note_failure(error)
            raise

    def formatting(self, original: Original) -> Original:
        connection = self._connection

        def format_tool_calls(formatter: Foreign, tool_calls: list[str]) -> Foreign:
            trace: RequestTrace | None = getattr(connection, "trace", None)
            # Called with each piece of text; of the looks that find nothing only the last one counts.
            if trace is None or not (tool_calls or trace.seen.finish_reason):
                return original(formatter, tool_calls)
            start_ns = trace.now()
            try:
                return original(formatter, tool_calls)
            finally:
                with careful:
                    if tool_calls:
                        trace.parsed(start_ns, len(tool_calls))
                    else:
                        trace.no_calls_found(start_ns)

        return format_tool_calls

    def queued(self, item: Foreign) -> Foreign:
        """What to put on the queue in place of `item`."""
        trace = self._current()
        if trace is None:
            return item
        answers, request, arguments = item
        trace.seen.requested_model = arguments.model.model
        trace.queued()
        return (
            ResponseQueue(trace, answers, self.batches, self.recorder, keep_tokens=self.keep_tokens),
            request,
            arguments,
        )

    def _current(self) -> RequestTrace | None:
        return getattr(self._connection, "trace", None)

    def _note_failure(self, error: BaseException) -> None:
        if (trace := self._current()) is not None:
            trace.failed(error)

    # --- the generation thread ---

    def taken(self, item: Foreign) -> None:
        """The generation thread has `item`. It may put it aside until a batch is drained, and takes no other then."""
        answers, request, _ = item
        self._newest = (request, answers.trace) if isinstance(answers, ResponseQueue) else None

    def load(self, original: Original, provider: Foreign, *args: Foreign, **kwargs: Foreign) -> Foreign:
        if self._newest is None:  # the default model, at start
            return original(provider, *args, **kwargs)
        trace = self._newest[1]
        with careful:
            trace.taken()
        start_ns, model_before = trace.now(), provider.model_key
        try:
            return original(provider, *args, **kwargs)
        finally:
            if provider.model_key != model_before:
                trace.seen.model_load_ns = trace.now() - start_ns

    def tokenize(
        self, original: Original, generator: Foreign, tokenizer: Foreign, request: Foreign, arguments: Foreign
    ) -> Foreign:
        trace = self._trace_of(request)
        if trace is None:
            return original(generator, tokenizer, request, arguments)
        with careful:
            trace.taken()
            self.recorder.work_begins(trace)
            trace.seen.loaded = LoadedModel(*generator.model_provider.model_key)
        start_ns = trace.now()
        try:
            tokenized = original(generator, tokenizer, request, arguments)
        finally:
            with careful:
                trace.templated(start_ns)
        with careful:
            chat = _chat_prompt(generator, tokenizer, request, arguments, tokenized)
            trace.seen.count_messages = partial(self._counter.count, chat) if chat is not None else None
        return tokenized

    def next_of_batch(self, original: Original) -> Original:
        now, batches = self.recorder.clock, self.batches

        def next_of(batch: Foreign) -> Foreign:
            batches.calls += 1
            batches.call_ns = now()
            return original(batch)

        return next_of

    def stream_generate(self, original: Original, *args: Foreign, **kwargs: Foreign) -> Iterator[Foreign]:
        trace = self._newest[1] if self._newest is not None else None
        with closing(original(*args, **kwargs)) as tokens:
            if trace is None:
                yield from tokens
                return
            with careful:
                trace.prefill_began(ServingPath.SINGLE)
                trace.seen.draft = _draft_counter(kwargs)
            for token in tokens:
                if trace.seen.draft is not None:
                    with careful:
                        trace.seen.draft.token(from_draft=token.from_draft, text=token.text)
                yield token

    def _trace_of(self, request: object) -> RequestTrace | None:
        known = self._newest is not None and self._newest[0] is request
        return self._newest[1] if self._newest is not None and known else None


def _chat_prompt(
    generator: Foreign, tokenizer: Foreign, request: Foreign, arguments: Foreign, tokenized: Foreign
) -> ChatPrompt | None:
    """None for what is no chat of text alone. By now the server has made every content a text, every argument JSON."""
    prompt, *_, vision = tokenized
    if request.request_type != "chat" or not tokenizer.has_chat_template or vision is not None:
        return None
    options = {
        **generator.model_provider.cli_args.chat_template_args,
        **(arguments.chat_template_kwargs or {}),
        "tools": request.tools,
        "tokenize": False,
        "add_generation_prompt": False,
    }
    return ChatPrompt(
        messages=request.messages,
        tools=request.tools or (),
        prompt=prompt,
        template=partial(tokenizer.apply_chat_template, **options),
        encode=partial(tokenizer.encode, add_special_tokens=False),
    )


def _draft_counter(kwargs: dict[str, Foreign]) -> DraftCounter | None:
    if kwargs.get("draft_model") is None:
        return None
    tokenizer = kwargs["tokenizer"]
    return DraftCounter(
        num_draft_tokens=kwargs["num_draft_tokens"],
        max_tokens=kwargs["max_tokens"],
        text=ToolCallText(tokenizer.tool_call_start, tokenizer.tool_call_end),
    )


class _Requests(Queue[Foreign]):
    """The server's queue of requests."""

    def __init__(self, listener: _Listener) -> None:
        super().__init__()
        self._listener = listener

    def put(self, item: Foreign, block: bool = True, timeout: float | None = None) -> None:
        with careful:
            item = self._listener.queued(item)
        super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Foreign:
        item = super().get(block, timeout)
        with careful:
            self._listener.taken(item)
        return item
