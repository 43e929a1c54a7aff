"""Dialogues made on the fly: a question, the right call, what the tool printed, a short grounded answer.

An answer after a call copies at most one path and one line number, both from the first line that the tool
printed: a model of this size can do that reliably, and cannot count or summarise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random

from training import outputs
from training.grammar import Grammar
from training.names import NameMaker
from training.resources import resource_lines

SYSTEM_PROMPT = (
    "You answer questions about the Django project in the current directory. Search it with run_command, "
    "read files with read_file, and answer general questions directly."
)


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call and what the tool printed."""

    tool: str
    argument: str
    value: str
    output: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A question and its answer, with a tool call between them unless the answer is direct."""

    question: str
    answer: str
    call: Call | None = None

    def messages(self) -> list[dict[str, object]]:
        """The same as chat messages in the form of the OpenAI API, system prompt included."""
        made: list[dict[str, object]] = [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": self.question},
        ]
        if self.call:
            function = {"name": self.call.tool, "arguments": {self.call.argument: self.call.value}}
            made += [
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"type": "function", "function": function}],
                },
                {"role": "tool", "content": self.call.output},
            ]
        return [*made, {"role": "assistant", "content": self.answer}]

    def text(self) -> str:
        """Every word of the dialogue, for tests that look for overlap."""
        call = (
            json.dumps({self.call.argument: self.call.value}) + "\n" + self.call.output if self.call else ""
        )
        return f"{self.question}\n{call}\n{self.answer}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A general subject: its names and what follows a name in a one-sentence answer."""

    names: tuple[str, ...]
    clause: str


@dataclass(frozen=True, slots=True)
class Concept:
    """Things that one command finds, under the names that people give them."""

    phrases: tuple[str, ...]
    command: str


@cache
def topics() -> tuple[Topic, ...]:
    """The table in `topics.txt`."""
    rows = (line.split(" | ") for line in resource_lines("topics.txt"))
    return tuple(Topic(tuple(names.split("; ")), clause) for names, clause in rows)


@cache
def concepts() -> tuple[Concept, ...]:
    """The table in `concepts.txt`."""
    rows = (line.split(" | ") for line in resource_lines("concepts.txt"))
    return tuple(Concept(tuple(phrases.split("; ")), command) for command, phrases in rows)


FIVE = (
    "Find all Django view functions",
    "Show me the implementation of UserSerializer",
    "Find all uses of async/await in the codebase",
    "What is dependency injection in Django?",
    "What's the difference between Django ORM and raw SQL?",
)


@dataclass(frozen=True, slots=True)
class DialogueMaker:
    """Draws dialogues of all kinds in fixed shares; the same `Random` gives the same dialogues."""

    names: NameMaker = field(default_factory=NameMaker)

    @property
    def _grammar(self) -> Grammar:
        return Grammar(self.names.word)

    def stream(self, rng: Random) -> Iterator[Dialogue]:
        """Dialogues without end."""
        kinds = [kind for kind, _ in self._kinds()]
        shares = [share for _, share in self._kinds()]
        while True:
            yield rng.choices(kinds, shares)[0](rng)

    def _kinds(self) -> tuple[tuple[Callable[[Random], Dialogue], float], ...]:
        return (
            (self.use, 17),
            (self.class_definition, 14),
            (self.function_definition, 8),
            (self.feature, 9),
            (self.subclasses, 3),
            (self.concept, 15),
            (self.file, 6),
            (self.named_files, 3),
            (self.line_count, 3),
            (self.topic, 26),
            (self.pair, 14),
            (self.unknown_topic, 2),
            (self.one_of_five, 2),
        )

    def use(self, rng: Random) -> Dialogue:
        """Where a name is used."""
        x = self.names.identifier(rng)
        text = self._grammar.about(rng, "search_verbs", "use")
        lines = outputs.grep_lines(self.names, rng, x, outputs.match_count(rng))
        return self._searched(rng, text.replace("{x}", x), f'grep -rn "{x}" .', lines, f"{x} is used in ")

    def class_definition(self, rng: Random) -> Dialogue:
        """Where a class is defined."""
        x = "UserSerializer" if rng.random() < 0.02 else self.names.class_name(rng)
        text = self._grammar.about(rng, "read_verbs", "class")
        return self._defined(rng, text, "class", x)

    def function_definition(self, rng: Random) -> Dialogue:
        """Where a function is defined."""
        x = self.names.function_name(rng) if rng.random() < 0.85 else self.names.word(rng)
        text = self._grammar.about(rng, "read_verbs", "function" if "_" in x else "plain_function")
        return self._defined(rng, text, "def", x)

    def _defined(self, rng: Random, text: str, keyword: str, x: str) -> Dialogue:
        lines = outputs.definition_lines(self.names, rng, keyword, x)
        return self._searched(
            rng, text.replace("{x}", x), f'grep -rn "{keyword} {x}" .', lines, f"{x} is defined in "
        )

    def feature(self, rng: Random) -> Dialogue:
        """The code behind something that a person names in plain words."""
        x = self.names.feature(rng)
        text = self._grammar.about(rng, "search_verbs", "feature")
        written = (
            x.replace(" ", rng.choice(("_", " ", "-"))) if rng.random() < 0.7 else x.title().replace(" ", "")
        )
        lines = outputs.grep_lines(self.names, rng, written, outputs.match_count(rng))
        command = f'grep -rniE "{x.replace(" ", ".?")}" .'
        return self._searched(rng, text.replace("{x}", x), command, lines, "The first match is in ")

    def subclasses(self, rng: Random) -> Dialogue:
        """What inherits from a class."""
        x = self.names.class_name(rng)
        text = self._grammar.about(rng, "search_verbs", "subclass")
        lines = [
            f"{line.rsplit(':', 1)[0]}:class {self.names.class_name(rng)}({x}):"
            for line in outputs.grep_lines(self.names, rng, x, rng.choice((1, 2, 3)))
        ]
        command = f'grep -rnE "class .*{x}" .'
        return self._searched(rng, text.replace("{x}", x), command, lines, "The first match is in ")

    def concept(self, rng: Random) -> Dialogue:
        """All things of a kind."""
        found = concepts()[rng.choice((0, 1))] if rng.random() < 0.15 else rng.choice(concepts())
        text = self._grammar.about(rng, "search_verbs", "concept")
        question = text.replace("{x}", rng.choice(found.phrases))
        if found.command.startswith("find"):
            return self._found_paths(rng, question, found.command)
        lines = outputs.grep_lines(self.names, rng, self.names.identifier(rng), outputs.match_count(rng))
        return self._searched(rng, question, found.command, lines, "The first match is in ")

    def _searched(self, rng: Random, question: str, command: str, lines: list[str], said: str) -> Dialogue:
        if rng.random() < 0.12:
            return Dialogue(
                question,
                "The search found nothing.",
                Call("run_command", "command", command, outputs.NOTHING),
            )
        if rng.random() < 0.02:
            return self._failed(rng, question, "run_command", "command", command)
        path, number, _ = lines[0].split(":", 2)
        call = Call("run_command", "command", command, outputs.limited(lines))
        return Dialogue(question, f"{said}{path} at line {number}.", call)

    def _failed(self, rng: Random, question: str, tool: str, argument: str, value: str) -> Dialogue:
        call = Call(tool, argument, value, outputs.error_text(self.names, rng))
        return Dialogue(question, "The tool reported an error.", call)

    def named_files(self, rng: Random) -> Dialogue:
        """Where files of a name are."""
        x = self.names.path(rng).rsplit("/", 1)[-1]
        text = self._grammar.about(rng, "search_verbs", "named_file")
        return self._found_paths(rng, text.replace("{x}", x), f'find . -name "{x}"', x)

    def _found_paths(self, rng: Random, question: str, command: str, name: str = "") -> Dialogue:
        if name and rng.random() < 0.15:
            return Dialogue(
                question,
                "The search found nothing.",
                Call("run_command", "command", command, outputs.NOTHING),
            )
        paths = ["./" + self.names.path(rng) for _ in range(outputs.match_count(rng))]
        if name:
            paths = [path.rsplit("/", 1)[0] + "/" + name for path in paths]
        paths.sort()
        return Dialogue(
            question,
            f"The first one is {paths[0]}.",
            Call("run_command", "command", command, outputs.limited(paths)),
        )

    def file(self, rng: Random) -> Dialogue:
        """What is in a file."""
        x = self.names.path(rng)
        text = self._grammar.about(rng, "read_verbs", "file")
        question = text.replace("{x}", x)
        if rng.random() < 0.1:
            return self._failed(rng, question, "read_file", "path", x)
        content, first = outputs.file_text(self.names, rng)
        answer = f"The file defines the {first}." if first else "The file defines no class and no function."
        return Dialogue(question, answer, Call("read_file", "path", x, content))

    def line_count(self, rng: Random) -> Dialogue:
        """How long a file is."""
        x = self.names.path(rng)
        text = self._grammar.about(rng, "read_verbs", "count")
        question, command = text.replace("{x}", x), f"wc -l {x}"
        if rng.random() < 0.1:
            return self._failed(rng, question, "run_command", "command", command)
        count = rng.randint(1, 999)
        return Dialogue(
            question, f"{x} has {count} lines.", Call("run_command", "command", command, f"{count} {x}")
        )

    def topic(self, rng: Random) -> Dialogue:
        """One general subject."""
        chosen = rng.choice(topics())
        name = rng.choice(chosen.names)
        question = _begin_with_capital(self._grammar.topic(rng).replace("{x}", name))
        return Dialogue(question, _begin_with_capital(f"{name} {chosen.clause}."))

    def pair(self, rng: Random) -> Dialogue:
        """Two general subjects compared."""
        one, other = rng.sample(topics(), 2)
        a, b = rng.choice(one.names), rng.choice(other.names)
        question = _begin_with_capital(self._grammar.pair(rng).replace("{a}", a).replace("{b}", b))
        return Dialogue(question, _begin_with_capital(f"{a} {one.clause}, while {b} {other.clause}."))

    def unknown_topic(self, rng: Random) -> Dialogue:
        """A general subject that isn't in the table."""
        x = self.names.feature(rng)
        question = self._grammar.topic(rng).replace("{x}", x)
        return Dialogue(question, f"I know too little about {x} to explain it.")

    def one_of_five(self, rng: Random) -> Dialogue:
        """The five questions of the default suite, word for word."""
        text = rng.choice(FIVE)
        if text == FIVE[1]:
            return self._defined(rng, text, "class", "UserSerializer")
        if text in FIVE[:3]:
            found = concepts()[0 if text == FIVE[0] else 1]
            lines = outputs.grep_lines(self.names, rng, self.names.identifier(rng), rng.randint(1, 30))
            return self._searched(rng, text, found.command, lines, "The first match is in ")
        if text == FIVE[3]:
            return Dialogue(text, f"Dependency injection {topics()[0].clause}.")
        return Dialogue(text, f"Django ORM {topics()[1].clause}, while raw SQL {topics()[2].clause}.")


def _begin_with_capital(text: str) -> str:
    return text[0].upper() + text[1:]
