"""Write `findings.md` beside this file from the table of findings: `python docs/findings.py`."""

from __future__ import annotations

import textwrap
from pathlib import Path

from punie.trace.analysis.integrity.kinds import FINDING_KIND, Effect, FindingKind

PAGE = Path(__file__).with_suffix(".md")

_HEAD = """# What can be wrong with traces

Every report lists what is wrong with its spans before any figure. A finding has a name, a count, up to three
examples, one of three effects, and what to do. Spans of warm-up queries are left out of findings about single queries.
"""
_EFFECTS = {
    Effect.NO_VERDICT: "The figures are shown; no verdict rests on them.",
    Effect.DOWNGRADED: "Figures and verdicts stand, marked as less certain.",
    Effect.SHOWN: "For information: nothing changes.",
}
_FOOT = """
This page is written by `python docs/findings.py` from the table in `analysis/integrity/findings.toml`.
"""


def page() -> str:
    """The page, whole."""
    return _HEAD + "".join(map(_effect, Effect)) + _renamed() + _FOOT


def _effect(effect: Effect) -> str:
    kinds = (kind for kind in FINDING_KIND.values() if kind.effect is effect)
    return f"\n## {effect}\n\n{_EFFECTS[effect]}\n" + "".join(map(_section, kinds))


def _section(kind: FindingKind) -> str:
    """A heading for each, so that a link can lead to it."""
    meaning = f"{kind.meaning[0].upper()}{kind.meaning[1:]}."
    return f"\n### `{kind.slug}`\n\n{_wrapped(meaning)}\n\n{_wrapped(f'*What to do*: {kind.remedy}')}\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _renamed() -> str:
    pairs = [f"`{kind.formerly}` is `{kind.slug}` now" for kind in FINDING_KIND.values() if kind.formerly]
    return "\n## Names in older reports\n\n" + "".join(f"- {pair}\n" for pair in pairs)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
