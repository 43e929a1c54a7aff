"""The programs that a model may run, with the options of each that only read: what is not listed is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_COUNT: Final = re.compile(r"[0-9]{1,9}")
_SIGNED: Final = re.compile(r"[-+]?[0-9]{1,9}")
_SIZE: Final = re.compile(r"[-+]?[0-9]{1,9}[ckMG]?")
_FILE_TYPE: Final = re.compile(r"[fdl]")
_ANYTHING: Final = re.compile(r".*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one program that are allowed: everything else is refused.

    `flags` are short options without a value. `valued` maps a short option to what its value must match.
    `long` maps each long option, exact name only, to the short one that is passed on; "" drops the option.
    `numeric` is the option that `-5` stands for. Names in `ours` are handled here and never passed on.
    """

    flags: str
    valued: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    long: Mapping[str, str] = field(default_factory=dict)
    numeric: str = ""
    ours: tuple[str, ...] = ()
    needs_operand: bool = True


POLICY: Final[Mapping[str, Options]] = MappingProxyType(
    {
        "grep": Options(
            flags="EFGHILRachilnoqrsvwx",
            valued=MappingProxyType({"A": _COUNT, "B": _COUNT, "C": _COUNT, "m": _COUNT, "e": _ANYTHING}),
            long=MappingProxyType(
                {
                    "--recursive": "r",
                    "--dereference-recursive": "r",
                    "--line-number": "n",
                    "--ignore-case": "i",
                    "--word-regexp": "w",
                    "--line-regexp": "x",
                    "--extended-regexp": "E",
                    "--fixed-strings": "F",
                    "--basic-regexp": "G",
                    "--invert-match": "v",
                    "--count": "c",
                    "--files-with-matches": "l",
                    "--files-without-match": "L",
                    "--no-filename": "h",
                    "--with-filename": "H",
                    "--only-matching": "o",
                    "--quiet": "q",
                    "--silent": "q",
                    "--no-messages": "s",
                    "--text": "a",
                    "--regexp": "e",
                    "--max-count": "m",
                    "--after-context": "A",
                    "--before-context": "B",
                    "--context": "C",
                    "--color": "",
                    "--colour": "",
                }
            ),
            numeric="C",
            ours=("--include", "--exclude", "--exclude-dir"),
        ),
        "find": Options(flags=""),
        "ls": Options(
            flags="1AFRSadhlprt",
            long=MappingProxyType(
                {
                    "--all": "a",
                    "--almost-all": "A",
                    "--recursive": "R",
                    "--directory": "d",
                    "--reverse": "r",
                    "--human-readable": "h",
                    "--color": "",
                }
            ),
            needs_operand=False,
        ),
        "cat": Options(
            flags="benstv",
            long=MappingProxyType({"--number": "n", "--number-nonblank": "b", "--squeeze-blank": "s"}),
        ),
        "head": Options(
            flags="q",
            valued=MappingProxyType({"n": _COUNT, "c": _COUNT}),
            long=MappingProxyType({"--lines": "n", "--bytes": "c", "--quiet": "q", "--silent": "q"}),
            numeric="n",
        ),
        "tail": Options(
            flags="q",
            valued=MappingProxyType({"n": _SIGNED, "c": _SIGNED}),
            long=MappingProxyType({"--lines": "n", "--bytes": "c", "--quiet": "q", "--silent": "q"}),
            numeric="n",
        ),
        "wc": Options(
            flags="clmw",
            long=MappingProxyType({"--lines": "l", "--words": "w", "--bytes": "c", "--chars": "m"}),
        ),
    }
)

FIND_TESTS: Final[Mapping[str, re.Pattern[str] | None]] = MappingProxyType(
    {
        "-name": _ANYTHING,
        "-iname": _ANYTHING,
        "-path": _ANYTHING,
        "-ipath": _ANYTHING,
        "-regex": _ANYTHING,
        "-iregex": _ANYTHING,
        "-type": _FILE_TYPE,
        "-maxdepth": _COUNT,
        "-mindepth": _COUNT,
        "-size": _SIZE,
        "-mtime": _SIGNED,
        "-mmin": _SIGNED,
        **dict.fromkeys(("-empty", "-print", "-prune", "-not", "!", "(", ")", "-o", "-or", "-a", "-and")),
    }
)
"""find's words that only look, with what a word's value must match (None: it takes none)."""
