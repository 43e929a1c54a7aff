"""What the tools would print over invented projects, in the format of the real tools, long output included."""

from __future__ import annotations

from random import Random

from training.names import NameMaker
from training.resources import code_parts

NOTHING = "(no output, exit status 1)"
OUTPUT_LIMIT = 4000


def fill(names: NameMaker, rng: Random, template: str, x: str = "") -> str:
    """One line of code; every open place but `{x}` gets an invented name."""
    if "{C}" in template or "{D}" in template:
        template = template.replace("{C}", names.class_name(rng)).replace("{D}", names.class_name(rng))
    if "{W}" in template:
        template = template.replace("{W}", names.constant_name(rng))
    return template.format(
        x=x, m=names.word(rng), w=names.function_name(rng), v=names.word(rng), n=rng.randint(0, 400)
    )


def grep_lines(names: NameMaker, rng: Random, x: str, count: int) -> list[str]:
    """`./shop/cart.py:12:from shop.models import Order`: sorted by path, then by line, each holding `x`."""
    lines: list[str] = []
    paths = sorted({"./" + names.path(rng) for _ in range(max(1, count // rng.choice((1, 2, 4))))})
    per_path = -(-count // len(paths))
    for path in paths:
        numbers = sorted(_line_number(rng) for _ in range(per_path))
        lines += [
            f"{path}:{number}:{fill(names, rng, rng.choice(code_parts()['use_lines']), x)}"
            for number in numbers
        ]
    return lines[:count]


def definition_lines(names: NameMaker, rng: Random, keyword: str, x: str) -> list[str]:
    """The line of the definition, at times with a second one whose name only begins alike."""
    head = f"{keyword} {x}"
    lines = [f"./{names.path(rng)}:{_line_number(rng)}:{head}{_after_name(names, rng, keyword)}"]
    if rng.random() < 0.12:
        ending = rng.choice(code_parts()["class_endings"]) if keyword == "class" else "_" + names.word(rng)
        lines.append(
            f"./{names.path(rng)}:{_line_number(rng)}:{head}{ending}{_after_name(names, rng, keyword)}"
        )
    return sorted(lines) if rng.random() < 0.9 else lines


def _after_name(names: NameMaker, rng: Random, keyword: str) -> str:
    if keyword == "def":
        return rng.choice(
            ("(request):", "(self):", f"({names.word(rng)}):", f"(self, {names.word(rng)}):", "():")
        )
    base = rng.choice(("models.Model", "serializers.ModelSerializer", "forms.ModelForm", "Exception", "View"))
    return rng.choice((":", f"({base}):", f"({base}):", f"({names.class_name(rng)}):"))


def _line_number(rng: Random) -> int:
    return (
        rng.randint(1, 9)
        if rng.random() < 0.3
        else rng.randint(1, 99)
        if rng.random() < 0.75
        else rng.randint(100, 999)
    )


def match_count(rng: Random) -> int:
    """How many lines a search prints: mostly few, sometimes far more than the limit lets through."""
    draw = rng.random()
    if draw < 0.93:
        return rng.choice((1, 1, 1, 2, 2, 3, 4, 5))
    return rng.randint(6, 20) if draw < 0.99 else rng.randint(21, 90)


def limited(lines: list[str], limit: int = OUTPUT_LIMIT) -> str:
    """Lines up to `limit` characters, cut at a line end and told so, as the real tools do."""
    text = "\n".join(lines)
    if len(text) <= limit:
        return text
    kept: list[str] = []
    used = 0
    for line in lines:
        used += len(line) + 1
        if used > limit:
            break
        kept.append(line)
    return "\n".join([*kept, f"[truncated: showing {len(kept)} of {len(lines)} lines]"])


def file_text(names: NameMaker, rng: Random) -> tuple[str, str]:
    """A source file and the first name that it defines at the left margin: `class X`, `function x` or nothing."""
    lines = [fill(names, rng, rng.choice(code_parts()["plain_lines"][2:4])) for _ in range(rng.randint(0, 5))]
    if rng.random() < 0.2:
        lines.insert(0, f'"""{names.word(rng).capitalize()} {names.word(rng)} {names.word(rng)}."""')
    first = ""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))):
        keyword = rng.choice(("class", "class", "def", "async def"))
        name = names.class_name(rng) if keyword == "class" else names.function_name(rng)
        first = first or f"{'class' if keyword == 'class' else 'function'} {name}"
        lines += ["", "", f"{keyword} {name}{_after_name(names, rng, keyword.split()[-1])}"]
        body = rng.randint(1, 5) if rng.random() < 0.95 else rng.randint(6, 40)
        lines += [
            "    " + fill(names, rng, rng.choice(code_parts()["plain_lines"][5:])).strip()
            for _ in range(body)
        ]
    if not first:
        count = rng.randint(1, 12) if rng.random() < 0.8 else rng.randint(13, 60)
        lines += [fill(names, rng, rng.choice(code_parts()["setting_lines"])) for _ in range(count)]
    return limited(lines), first


def error_text(names: NameMaker, rng: Random) -> str:
    """A refusal or a failure, in some of the many ways that tools word them."""
    path, word = names.path(rng), names.word(rng)
    return "error: " + rng.choice(
        (
            f"{path}: no such file",
            f"no such file: {path}",
            f"{path} is not a file",
            f"{word} is not allowed",
            f"{word}: not an allowed program",
            f"{path} is outside the workspace",
            "time limit exceeded",
            f"the option --{word} is not allowed",
            f"grep: {path}: No such file or directory",
            f"{path}: is a folder",
        )
    )
