"""TOML files that users write, read within bounds: whatever they hold, the error names the file and the field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from punie.trace.errors import CHECK_PATH, InputError

LARGEST_BYTES: Final = 1_000_000
_NAME_TOML: Final = "Name a TOML file."
_CORRECT: Final = (
    'Correct it there: text stands in "quotes", a name comes once, a line is NAME = VALUE or a [table].'
)
_SHOWN_CHARACTERS: Final = 60


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The table in the file `path`; `what` ("suite", "plan") names its kind in errors.

    Raises InputError if it isn't a regular file of at most `LARGEST_BYTES` of UTF-8 that is valid TOML.
    """
    source = f"{what} {path}"
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{source} can't be read: it is no regular file", remedy=_NAME_TOML)
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{source} can't be read: {error.strerror}", remedy=CHECK_PATH) from error
    except ValueError as error:  # a NUL
        raise InputError(
            f"{what} {shown(str(path))} can't be read: it is no path", remedy=_NAME_TOML
        ) from error
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{source} is larger than {LARGEST_BYTES} bytes", remedy=_NAME_TOML)
    return parse_toml(data, source)


def parse_toml(data: bytes, source: str) -> dict[str, Any]:
    """The table that `data` holds; `source` names it in errors. Raises InputError as `read_toml` does."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source} is not UTF-8: {error.reason} at byte {error.start}", remedy="Save it as UTF-8."
        ) from error
    except RecursionError as error:
        raise InputError(f"{source} is nested too deeply", remedy=_CORRECT) from error
    # TOMLDecodeError is one; Python refuses decimal numbers of thousands of digits by another
    except ValueError as error:
        raise InputError(f"{source} is not valid TOML: {error}", remedy=_CORRECT) from error


def shown(value: object) -> str:
    """`value` as an error may quote it: one short line, whatever it is."""
    if isinstance(value, (list, dict)):
        return {list: "a list", dict: "a table"}[type(value)] if value else repr(value)
    if isinstance(value, int) and value.bit_length() > 63:
        return f"a number of {value.bit_length()} bits"
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
