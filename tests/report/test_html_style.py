"""The page's colours, held against WCAG 2.2: text 4.5 to 1, what is drawn 3 to 1, in both schemes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import pytest

from punie.trace.model import PHASES

SHEET: Final = files("punie.trace.report.writers.html").joinpath("page.css").read_text("utf-8")
TEXT: Final = (
    ("ink", "bg"),
    ("ink", "card"),
    ("ink", "soft"),
    ("dim", "bg"),
    ("dim", "card"),
    ("dim", "soft"),
    ("link", "bg"),
    ("no", "bg"),
    ("yes", "yesbg"),
    ("no", "nobg"),
    ("open", "openbg"),
)
DRAWN: Final = (
    *((phase.value, surface) for phase in PHASES for surface in ("bg", "soft")),
    *((name, "card") for name in ("est", "beside", "mark", "control")),
)


def colours(scheme: str) -> Mapping[str, str]:
    """The sheet's colours; the dark scheme replaces some."""
    light, dark = re.findall(r":root\{(.*?)\}", SHEET, re.DOTALL)[:2]
    text = light if scheme == "light" else light + ";" + dark
    return dict(re.findall(r"--([a-z]+):(#[0-9a-f]+)", text))


def contrast(one: str, other: str) -> float:
    """Source: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (DRAWN, 3.0)], ids=["text", "drawn"])
def test_contrast(scheme: str, pairs: tuple[tuple[str, str], ...], least: float) -> None:
    named = colours(scheme)
    poor = {pair: round(ratio, 2) for pair in pairs if (ratio := contrast(*(named[n] for n in pair))) < least}
    assert poor == {}


def test_black_on_white_is_21_to_1() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


def test_every_phase_has_a_colour_in_both_schemes_and_a_class() -> None:
    for phase in PHASES:
        assert f".p-{phase.value}{{--s:var(--{phase.value})}}" in SHEET
        assert colours("light")[phase.value] != colours("dark")[phase.value]


def test_who_wants_less_motion_gets_none() -> None:
    assert not re.search("transition|animation|@keyframes|scroll-behavior", SHEET)
