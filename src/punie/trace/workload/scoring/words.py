"""The lists of words in `words.toml`, by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final


def _read() -> Mapping[str, tuple[str, ...]]:
    text = (files("punie.trace.workload.scoring") / "words.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: tuple(words.split()) for name, words in tomllib.loads(text).items()})


WORDS: Final = _read()
