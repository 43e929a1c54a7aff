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


def _long(text: str) -> Mapping[str, str]:
    """`r=recursive,dereference-recursive n=line-number` as the short option of each long one."""
    pairs = (word.split("=") for word in text.split())
    return MappingProxyType({f"--{long}": f"-{short}" for short, names in pairs for long in names.split(",")})


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """The options of one program that are allowed: everything else is refused.

    `flags` are short options without a value. `valued` maps a short option to what its value must match.
    `long` maps each long option to the short one that is passed on. `numeric` is the option that `-5` stands for.
    The options in `ours` take a value, are handled here and never passed on.
    """

    flags: str
    valued: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    long: Mapping[str, str] = field(default_factory=dict)
    numeric: str = ""
    ours: tuple[str, ...] = ()
    needs_operand: bool = True

    @property
    def short_form(self) -> str:
        """The short options as `getopt` wants them."""
        digits = "0123456789" if self.numeric else ""
        return self.flags + digits + "".join(f"{option[1]}:" for option in self.valued)

    @property
    def long_form(self) -> list[str]:
        """The long options as `getopt` wants them."""
        passed_on = [f"{long[2:]}{'=' if short in self.valued else ''}" for long, short in self.long.items()]
        return [*passed_on, *(f"{option[2:]}=" for option in self.ours)]


_LINES: Final = MappingProxyType({"-n": _COUNT, "-c": _COUNT})
_SIGNED_LINES: Final = MappingProxyType({"-n": _SIGNED, "-c": _SIGNED})
_LINES_LONG: Final = _long("n=lines c=bytes q=quiet,silent")

POLICY: Final[Mapping[str, ProgramOptions]] = MappingProxyType(
    {
        "grep": ProgramOptions(
            flags="EFGHILRachilnoqrsvwx",
            valued=MappingProxyType({**dict.fromkeys(("-A", "-B", "-C", "-m"), _COUNT), "-e": _ANYTHING}),
            long=_long(
                "r=recursive,dereference-recursive n=line-number i=ignore-case w=word-regexp x=line-regexp "
                "E=extended-regexp F=fixed-strings G=basic-regexp v=invert-match c=count l=files-with-matches "
                "L=files-without-match h=no-filename H=with-filename o=only-matching q=quiet,silent s=no-messages "
                "a=text e=regexp m=max-count A=after-context B=before-context C=context"
            ),
            numeric="-C",
            ours=("--include", "--exclude", "--exclude-dir"),
        ),
        "find": ProgramOptions(flags=""),
        "ls": ProgramOptions(
            flags="1AFRSadhlprt",
            long=_long("a=all A=almost-all R=recursive d=directory r=reverse h=human-readable"),
            needs_operand=False,
        ),
        "cat": ProgramOptions(flags="benstv", long=_long("n=number b=number-nonblank s=squeeze-blank")),
        "head": ProgramOptions(flags="q", valued=_LINES, long=_LINES_LONG, numeric="-n"),
        "tail": ProgramOptions(flags="q", valued=_SIGNED_LINES, long=_LINES_LONG, numeric="-n"),
        "wc": ProgramOptions(flags="clmw", long=_long("l=lines w=words c=bytes m=chars")),
    }
)

FIND_TESTS: Final[Mapping[str, re.Pattern[str] | None]] = MappingProxyType(
    {
        **dict.fromkeys(("-name", "-iname", "-path", "-ipath", "-regex", "-iregex"), _ANYTHING),
        **dict.fromkeys(("-maxdepth", "-mindepth"), _COUNT),
        **dict.fromkeys(("-mtime", "-mmin"), _SIGNED),
        "-type": _FILE_TYPE,
        "-size": _SIZE,
        **dict.fromkeys(("-empty", "-print", "-prune", "-not", "!", "(", ")", "-o", "-or", "-a", "-and")),
    }
)
"""find's words that only look, with what a word's value must match (None: it takes none)."""
