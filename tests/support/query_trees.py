"""Queries as a run writes them, made up: each span inside its parent, the same for the same seed."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from punie.trace import semconv
from punie.trace.model import PHASE_GROUP, PHASES, AttributeValue, Group, Phase, Provenance, Span, SpanKind

NOW_NS = 1_764_000_000_123_456_789
LENGTH_NS = 1 << 20
SECOND = Provenance.STREAM, Provenance.BODY
GENERATION = {phase.value for phase in PHASES if PHASE_GROUP[phase] is Group.GENERATION}


def seeded(seed: int) -> Random:
    """The same traces in every run."""
    return Random(seed)  # noqa: S311 - no secret


class Tree:
    """One query as a run writes it, each span inside its parent.

    `open_ended` leaves requests shorter than their calls where nothing else tells what these waited for.
    """

    def __init__(self, number: int, random: Random, model: str = "", *, open_ended: bool = False) -> None:
        self.random = random
        self.model = model
        self.open_ended = open_ended
        self.trace_id = f"{number + 1:032x}"
        self.spans: list[Span] = []
        query = self.add(None, "query", {semconv.QUERY_ID: "q"})
        agent = self.add(query, "agent", {semconv.OPERATION: semconv.OPERATION_AGENT})
        for _ in range(random.randint(0, 3)):
            self.chat(agent)
            if random.random() < 0.7:
                self.tool(agent)

    def add(
        self,
        parent: Span | None,
        name: str,
        attributes: dict[str, AttributeValue],
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        low, high = (NOW_NS, NOW_NS + LENGTH_NS) if parent is None else (parent.start_ns, parent.end_ns)
        start, end = sorted((self.random.randint(low, high), self.random.randint(low, high)))
        number = len(self.spans) + 1
        above = None if parent is None else parent.span_id
        span = Span(
            self.trace_id,
            f"{number:016x}",
            above,
            name,
            start,
            end,
            kind,
            attributes,
            resource={"host.name": "here"} if int(self.trace_id, 16) % 2 else {},
        )
        self.spans.append(span)
        return span

    def phase(self, parent: Span, phase: Phase, how: Provenance) -> Span:
        said: dict[str, AttributeValue] = {semconv.PHASE: phase.value, semconv.PHASE_PROVENANCE: how.value}
        return self.add(parent, phase.value, said)

    def chat(self, parent: Span) -> None:
        asked: dict[str, AttributeValue] = {semconv.REQUEST_MODEL: self.model} if self.model else {}
        chat = self.add(parent, "chat", {semconv.OPERATION: "chat", **asked})
        place = len(self.spans) - 1
        for _ in range(self.random.randint(0, 2)):
            self.post(chat)
        if self.random.random() < 0.5:
            self.phase(chat, self.random.choice(PHASES), Provenance.CLIENT)
        if not self.open_ended:
            self.fill(place)

    def post(self, chat: Span) -> None:
        method = self.random.choice(semconv.HTTP_METHOD)
        told: dict[str, AttributeValue] = {method: self.random.choice(["POST", "POST", "GET"])}
        if self.random.random() < 0.3:
            told[semconv.HTTP_ENDS_AT] = self.random.choice(["headers", "last_byte"])
        post = self.add(chat, "POST", told)
        for how in SECOND:
            if self.random.random() < 0.5:
                self.phase(post, self.random.choice((Phase.DECODE, Phase.PREFILL, Phase.QUEUE)), how)
        if self.random.random() < 0.6:
            said: dict[str, AttributeValue] = (
                {semconv.PHASE: "serve", semconv.PHASE_PROVENANCE: "server"}
                if self.random.random() < 0.5
                else {}
            )
            server = self.add(post, "server request", said, SpanKind.SERVER)
            for phase in (Phase.QUEUE, Phase.PREFILL, Phase.DECODE):
                if self.random.random() < 0.6:
                    self.phase(server, phase, Provenance.SERVER)

    def fill(self, place: int) -> None:
        """Let the requests of the chat at `place` last nearly as long as it does, if they show no generation."""
        chat, *below = self.spans[place:]
        if not {span.attributes.get(semconv.PHASE) for span in below}.isdisjoint(GENERATION):
            return
        for number, span in enumerate(below, place + 1):
            if span.parent_id == chat.span_id and semconv.PHASE not in span.attributes:
                most = chat.duration_ns // 20
                start = min(span.start_ns, chat.start_ns + self.random.randint(0, most))
                end = max(span.end_ns, chat.end_ns - self.random.randint(0, most))
                self.spans[number] = replace(span, start_ns=start, end_ns=end)

    def tool(self, parent: Span) -> None:
        tool = self.add(parent, "tool", {semconv.OPERATION: semconv.OPERATION_TOOL})
        if self.random.random() < 0.2:
            self.chat(self.add(tool, "agent", {semconv.OPERATION: semconv.OPERATION_AGENT}))


def forty_queries(random: Random) -> list[Span]:
    """40 right queries, one scored as wrong, one with an error, two of a warm-up."""
    spans: list[Span] = []
    for number in range(44):
        query, *rest = Tree(number, random).spans
        more: dict[str, AttributeValue] = {semconv.QUERY_OK: number != 40}
        if number == 41:
            more[semconv.QUERY_ERROR] = "RuntimeError: no"
        if number > 41:
            more[semconv.QUERY_WARMUP] = True
        spans += (replace(query, attributes={**query.attributes, **more}), *rest)
    return spans
