"""What a user or a model types: URLs, the values of flags, commands for the sandboxed tools."""

from __future__ import annotations

import contextlib
import io
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from fuzzing import material
from fuzzing.odd_values import NUMBER_TEXTS, odd_text
from fuzzing.oracle import CONTROLS, Broken

_JOINTS: Final = (
    ":",
    "/",
    "@",
    "?",
    "#",
    "&",
    "=",
    "//",
    "%",
    "%00",
    "%zz",
    "[",
    "]",
    "\\",
    " ",
    "..",
    "\t",
    ";",
)
_SHELL: Final = (
    " ",
    "'",
    '"',
    "\\",
    "$(",
    "`",
    "|",
    ";",
    ">",
    "<",
    "*",
    "?",
    "[",
    "..",
    "/",
    "~",
    "--",
    "-",
    "=",
    "{a,b}",
)
_EXIT_CODES: Final = (0, 2, 3, 4, 5, 6, 7, 8)


def _damaged(text: str, joints: tuple[str, ...], random: Random) -> str:
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(text) + 1)
        piece = random.choice((random.choice(joints), odd_text(random)[:60], random.choice(NUMBER_TEXTS), ""))
        text = text[:at] + piece + text[at + random.choice((0, 0, 1, 5, 30)) :]
    return text


def make_url(random: Random) -> bytes:
    """A URL of any kind that a flag or a source may be."""
    return _damaged(random.choice(material.URLS), _JOINTS, random).encode("utf-8", "surrogatepass")


def take_url(content: bytes, _: Path, __: int | None) -> str:
    """All who read URLs, and nobody shows a password."""
    from punie.trace.errors import PunieTraceError
    from punie.trace.server.address import ServerAddress
    from punie.trace.store.clickhouse.query import parse_query as clickhouse
    from punie.trace.store.jaeger.page import page_url
    from punie.trace.store.jaeger.query import parse_query as jaeger
    from punie.trace.telemetry.shipping.targets import find_targets
    from punie.trace.urls import without_password

    url = content.decode("utf-8", "surrogatepass")
    without_password(url)
    taken = 0
    readers = (
        lambda: ServerAddress.of(url).is_direct,
        lambda: jaeger(url).path(10**18),
        lambda: clickhouse(url),
        lambda: page_url(url, flag="--jaeger"),
        lambda: [(target.name, target.key, target.is_loopback) for target in find_targets(url, {})],
        lambda: [target.name for target in find_targets(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": url})],
    )
    for read in readers:
        with contextlib.suppress(PunieTraceError):
            read()
            taken += 1
    return "read by somebody" if taken else "read by nobody"


COMMANDS: Final = (
    ("report", "SPANS", "--target", "10s", "--max-memory", "32GB", "--format", "json"),
    ("report", "SPANS", "--gate", "generation,target", "--by", "model"),
    ("compare", "SPANS", "SPANS", "--fail-above", "5%", "--and", "200ms"),
    ("compare", "--a", "SPANS", "--b", "SPANS", "SPANS"),
    ("decide", "SPANS", "--target", "1h"),
    (
        "bench",
        "speculative",
        "--plan",
        "SPANS",
        "--num-draft-tokens",
        "2,3",
        "--blocks",
        "3",
        "--seed",
        "4",
        "--temperature",
        "0.5",
    ),
    ("bench", "speculative", "--resume", "SPANS"),
)
"""Commands that end at once: no server, no run. SPANS is a file."""


def make_command(random: Random) -> bytes:
    """A command with words damaged, left out, twice, in another order."""
    words = [*random.choice(COMMANDS)]
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(words))
        if at and random.random() < 0.7:
            words[at] = random.choice(
                (_damaged(words[at], _JOINTS, random), random.choice(NUMBER_TEXTS), odd_text(random))
            )
        elif random.random() < 0.5:
            words.insert(at + 1, random.choice(words))
        elif len(words) > 1 and at:
            del words[at]
    return json.dumps(words).encode()


def take_command(content: bytes, folder: Path, _: int | None) -> str:
    """The whole command line, in its process: an exit code of ours, one that isn't a bug's, and harmless text."""
    from punie.trace.__main__ import main

    (folder / "SPANS").write_bytes(_sound())
    words = json.loads(content)
    if "bench" in words and not any(word in ("--plan", "--resume") for word in words):
        return "not tried: it would start a server"
    if any(
        word.startswith(("-o", "--o", "--f")) and not word.startswith(("--format", "--fail"))
        for word in words
    ):
        return "not tried: it would write a file"
    if any(Path(word).is_absolute() or word.startswith("..") for word in words):
        return "not tried: it would read the machine"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as left:  # --help and --version
            code = int(left.code or 0)
    if code not in (*_EXIT_CODES, 1 if "--gate" in words or "--fail-above" in words else 0):
        raise Broken(f"exit code {code}: {err.getvalue()[:300]}")
    for text in (err.getvalue(), out.getvalue()):
        if found := CONTROLS.search(text):
            raise Broken(
                f"U+{ord(found[0]):04X} in what a command says: {text[max(0, found.start() - 60) :][:120]!r}"
            )
    return f"exit code {code}"


@cache
def _sound() -> bytes:
    return next(content for content in material.traces() if b"resourceSpans" in content)


def make_tool(random: Random) -> bytes:
    """A command for the default agent's tools."""
    return _damaged(random.choice(material.TOOL_COMMANDS), _SHELL, random).encode("utf-8", "surrogatepass")


def take_tool(content: bytes, folder: Path, _: int | None) -> str:
    """It is refused, or becomes arguments that stay in the workspace and hold no option of the model's."""
    from punie.trace.workload.tools.confine import RefusedError
    from punie.trace.workload.tools.policy import POLICY
    from punie.trace.workload.tools.sandbox import PROGRAM_FOLDERS, plan_command

    project = folder.resolve() / "project"
    (project / "accounts").mkdir(parents=True)
    (project / "accounts" / "views.py").write_text("async\n")
    (project / "-rf").write_text("x\n")
    (project / "up").symlink_to("..")
    (folder / "outside").write_text("secret\n")
    try:
        plan = plan_command(content.decode("utf-8", "surrogatepass"), project)
    except RefusedError as refused:
        return "refused" if str(refused) else "refused without a word"
    program = Path(plan.argv[0])
    if program.name not in POLICY or program.parent not in PROGRAM_FOLDERS:
        raise Broken(f"runs {program}")
    for path in (path for batch in plan.batches for path in batch):
        if not (project / path).resolve().is_relative_to(project):
            raise Broken(f"hands {path!r} to {program}")
    return "run"
