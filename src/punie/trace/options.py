"""The options of a command: a frozen dataclass whose fields are its flags, declared once and read once.

    @dataclass(frozen=True, slots=True)
    class Options:
        source: str = argument("SOURCE", "a run folder or a file of spans")
        repeat: int = flag("--repeat", "N", "passes over the suite", parse=whole_number(1), default=1)
        output: OutputOptions = group("output", OutputOptions)

`add_options` adds them to argparse, `read_options` makes the frozen value. A field called `given` gets the names
of the fields that the user set, so that a flag that can't be obeyed can be refused, whatever its value.
"""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from punie.trace.errors import did_you_mean

T = TypeVar("T")
Parser = argparse.ArgumentParser | argparse._ArgumentGroup  # noqa: SLF001 - argparse has no public name for it
_FLAG: Final = "flag"
_ARGUMENTS: Final = "arguments"
_GROUP: Final = "group"
_KIND: Final = "kind"
_FORMERLY: Final = "formerly"
_RENAMED: Final = "renamed flags"


def flag(
    name: str,
    metavar: str,
    text: str,
    *,
    default: Any = None,  # noqa: ANN401 - of the field's type, as dataclasses.field's
    shown: str = "",
    short: str = "",
    formerly: str = "",
    **arguments: Any,  # noqa: ANN401 - argparse's
) -> Any:  # noqa: ANN401
    """A field set by `name` VALUE. `parse=` turns the text into the value, further arguments are argparse's.

    The help ends with the default, or with `shown` where the value doesn't say it. `formerly` is the flag's name in
    older versions: it still works, isn't shown, and is warned of (`renamed_flags`).
    """
    shown = shown or ("none" if default in (None, (), "") else str(default))
    words = text if arguments.get("required") else f"{text} (default: {shown})"
    _name_type(arguments)
    if metavar:
        arguments["metavar"] = metavar
    names = (short, name) if short else (name,)
    return _field(names, {**arguments, "help": words}, default, formerly)


def choice(
    name: str, choices: Collection[str], text: str, *, default: str | None = None, shown: str = ""
) -> Any:  # noqa: ANN401
    """A field set by `name` and one of `choices`."""
    return flag(name, "", text, default=default, shown=shown, choices=tuple(choices))


def switch(name: str, text: str) -> Any:  # noqa: ANN401
    """A field that `name` turns on."""
    return _field((name,), {"action": "store_true", "help": text}, default=False)


def argument(metavar: str, text: str, **arguments: Any) -> Any:  # noqa: ANN401
    """A positional field; required unless `nargs=` says otherwise."""
    _name_type(arguments)
    default = () if arguments.get("nargs") in ("*", "+") else None
    return _field((), {**arguments, "metavar": metavar, "help": text}, default)


def _name_type(arguments: dict[str, Any]) -> None:
    """`parse` under argparse's name; a path is always checked."""
    if parse := arguments.pop("parse", None):
        arguments["type"] = path if parse is Path else parse


def group(title: str, kind: type) -> Any:  # noqa: ANN401
    """A field of its own dataclass of options, shown under `title`."""
    return field(default_factory=kind, metadata={_GROUP: title, _KIND: kind})


def _field(names: tuple[str, ...], arguments: dict[str, Any], default: Any, formerly: str = "") -> Any:  # noqa: ANN401
    return field(default=default, metadata={_FLAG: names, _ARGUMENTS: arguments, _FORMERLY: formerly})


class _Renamed(argparse.Action):
    """A flag by its former name: sets the same field, and is remembered."""

    def __init__(self, option_strings: Sequence[str], dest: str, now: str, **arguments: Any) -> None:  # noqa: ANN401
        super().__init__(option_strings, dest, **arguments)
        self._now = now

    def __call__(self, _: object, given: argparse.Namespace, value: object, flag: str | None = None) -> None:
        setattr(given, self.dest, value)
        given.__dict__.setdefault(_RENAMED, []).append(f"{flag} is now {self._now}, and will be refused")


def renamed_flags(given: argparse.Namespace) -> list[str]:
    """A sentence for each former name that was typed; they are taken out of `given`."""
    return list(given.__dict__.pop(_RENAMED, ()))


def add_options(parser: Parser, kind: type) -> None:
    """Add every flag of `kind`. Nothing has a default there: what wasn't given stays absent."""
    for item in fields(kind):
        if _GROUP in item.metadata:
            add_options(parser.add_argument_group(item.metadata[_GROUP]), item.metadata[_KIND])
        elif names := item.metadata.get(_FLAG):
            arguments = {"dest": item.name, "default": argparse.SUPPRESS, **item.metadata[_ARGUMENTS]}
            parser.add_argument(*names, **arguments)
            if former := item.metadata[_FORMERLY]:
                hidden = {**arguments, "help": argparse.SUPPRESS, "action": _Renamed, "now": names[-1]}
                parser.add_argument(former, **hidden)
        elif _FLAG in item.metadata:
            arguments = item.metadata[_ARGUMENTS]
            # argparse would parse the text that stands for "absent" where one may be left out
            default = item.default if arguments.get("nargs") == "?" else argparse.SUPPRESS
            parser.add_argument(item.name, default=default, **arguments)


def read_options(kind: type[T], given: argparse.Namespace) -> T:
    """The frozen `kind` that was given on the command line."""
    values = {item.name: _value(item, given) for item in fields(kind)}  # type: ignore[arg-type]
    return kind(**values)


def _value(item: Field[Any], given: argparse.Namespace) -> Any:  # noqa: ANN401
    if item.name == "given":
        return frozenset(vars(given))
    if _KIND in item.metadata:
        return read_options(item.metadata[_KIND], given)
    value = getattr(given, item.name, item.default)
    return tuple(value) if isinstance(value, list) else value


def flags_of(kind: type) -> dict[str, str]:
    """Every field that a flag sets, groups included, with that flag."""
    flags: dict[str, str] = {}
    for item in fields(kind):
        if _KIND in item.metadata:
            flags |= flags_of(item.metadata[_KIND])
        elif names := item.metadata.get(_FLAG):
            flags[item.name] = names[-1]
    return flags


def whole_number(low: int, high: int = 10**6) -> Callable[[str], int]:
    """Reads an integer from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            number = int(text) if len(text) <= _DIGITS else None
        except ValueError:
            number = None
        if number is None:
            raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is not a whole number")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{number} is not between {low} and {high}")
        return number

    return parse


def path(text: str) -> Path:
    """Reads a path that a file system can have, whether something is there or not."""
    given = Path(text)
    if problem := why_no_path(given):
        raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r}… is no path: {problem}")
    return given


def why_no_path(path: Path) -> str:
    """Why no file can be there, whatever is made; empty where one can."""
    try:
        path.lstat()
    except ValueError as error:
        return str(error)
    except OSError as error:
        return os.strerror(error.errno or 0) if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ) else ""
    return ""


def absolute(text: str) -> str:
    """A path at which something lies as it is found from any folder; any other text as it is."""
    return str(Path(text).absolute()) if os.path.exists(text) else text  # noqa: PTH110 - Path's raises for odd text


_DIGITS: Final = 20
_SHOWN: Final = 40


def real_number(low: float, high: float = float("inf")) -> Callable[[str], float]:
    """Reads a finite number from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is not a number") from None
        if not (low <= number <= high and abs(number) != float("inf")):
            limits = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
            raise argparse.ArgumentTypeError(f"{number:g} is not {limits}")
        return number

    return parse


def one_of_several(names: Collection[str], what: str) -> Callable[[str], tuple[str, ...]]:
    """Reads a choice of `names` with commas between them."""

    def parse(text: str) -> tuple[str, ...]:
        given = tuple(name.strip() for name in text.split(","))
        unknown = [name for name in given if name not in names]
        if unknown:
            meant = did_you_mean(unknown[0], names)
            raise argparse.ArgumentTypeError(
                f"unknown {what} {unknown[0]!r}{meant} (choose from {', '.join(names)})"
            )
        return given

    return parse
