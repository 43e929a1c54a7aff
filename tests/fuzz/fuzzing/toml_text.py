"""TOML from tables, damaged in its structure or in its bytes."""

from __future__ import annotations

import json
import math
import tomllib
from importlib.resources import files
from random import Random
from typing import Any, Final

from fuzzing import damage_bytes, damage_json

SUITES: Final = (
    files("punie.trace.workload").joinpath("suites", "discrimination.toml").read_text(),
    """name = "s"\nversion = 1\n[[query]]\nid = "a"\ntext = "?"\nexpect = "tool"\ntool = ["x", "y"]\narguments = "a.*b"\n
[[query]]\nid = "b"\ntext = "!"\nexpect = "direct"\nmentions = [["one", "two"], "three"]\n""",
)
PLAN: Final = """draft = ["demo"]\nk = [2, 3]\nblocks = 5\nrepeat = 1\nseed = 0\nmax_tokens = 64\ntemperature = 0.5
target = "10s"\nmax_memory = "4GB"\ndraft_cache = "off"\nquery_timeout = 30\nallow_vocab_mismatch = true\n"""
_ODD_LINES: Final = (
    "[a]\n[a]\n", "a.b.c = 1\n", "x = 1979-05-27T07:32:00Z\n", "y = inf\n", "z = nan\n", "n = " + "9" * 5000 + "\n",
    "h = 0x" + "f" * 5000 + "\n", "d = " + "[" * 2000 + "]" * 2000 + "\n", '"" = 1\n', "'\x1b[31m' = 1\n", "[[query]]\n",
    "blocks = 1_000_000_000\n", "k = []\n", 'arguments = "(a+)+$"\n', 'arguments = "a{1000000}{1000000}"\n',
    "'\\u202e' = 2\n", 'name = """\n\n\n"""\n', "version = -1\n", "q = {a = {b = {c = {}}}}\n",
)  # fmt: skip


def damaged(text: str, random: Random) -> bytes:
    """`text` damaged."""
    if random.random() < 0.15:
        return damage_bytes.damage(text.encode(), random)
    table = tomllib.loads(text)
    damage_json.damage(table, random)
    content = dumps(table)
    if random.random() < 0.2:
        content = random.choice((content + random.choice(_ODD_LINES), random.choice(_ODD_LINES) + content))
    return content.encode("utf-8", "surrogatepass")


def dumps(table: dict[str, Any]) -> str:
    """A table: plain keys first, lists of tables after them."""
    plain = {key: value for key, value in table.items() if not _are_tables(value)}
    tables = [(key, entry) for key, value in table.items() if _are_tables(value) for entry in value]
    return _pairs(plain) + "".join(f"[[{_key(key)}]]\n{_pairs(entry)}" for key, entry in tables)


def _pairs(table: dict[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, dict) for item in value)


def _key(key: object) -> str:
    return json.dumps(str(key))


def _value(value: Any) -> str:  # noqa: ANN401 # any JSON
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str) and value.startswith("<<raw ") and value.endswith(">>"):
        return (
            value.removeprefix("<<raw ").removesuffix(">>").replace("NaN", "nan").replace("Infinity", "inf")
        )
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return "''" if value is None else json.dumps(value, ensure_ascii=False)
