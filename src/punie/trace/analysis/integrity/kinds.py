"""Everything that can be wrong with traces: the table `findings.toml` beside this file, as frozen values."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec


class Effect(StrEnum):
    """What a finding does to the verdicts, the gravest first."""

    NO_VERDICT = "no-verdict"
    DOWNGRADED = "downgraded"
    SHOWN = "shown"


class FindingKind(msgspec.Struct, frozen=True):
    """One thing that can be wrong: its name, what it does to the verdicts, what it means, and what to do about it.

    `meaning` is the message of reports, so it says as well what was done. `formerly` is the name of older reports.
    """

    slug: str
    effect: Effect
    meaning: str
    remedy: str
    formerly: str = ""


def _read() -> Mapping[str, FindingKind]:
    table = tomllib.loads((pkgutil.get_data(__package__, "findings.toml") or b"").decode())
    return MappingProxyType(
        {slug: FindingKind(slug, **row | {"effect": Effect(row["effect"])}) for slug, row in table.items()}
    )


FINDING_KIND: Final = _read()
"""Every kind by its slug, in the order of the table."""
