"""Write `findings.md` beside this file from the table of findings: `python docs/findings.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from punie.trace.analysis.integrity.kinds import FINDING_KIND, Effect, FindingKind

PAGE = Path(__file__).with_suffix(".md")

_HEAD = """# What can be wrong with traces

Every report lists what is wrong with its spans before any figure. A finding has a name, a count, up to three examples,
and one of these effects:

| effect | what it does |
| --- | --- |
| no-verdict | the figures are shown; no verdict rests on them |
| downgraded | figures and verdicts stand, marked as less certain |
| shown | nothing: for information |

Spans of warm-up queries are left out of findings about single queries. This page is written by
`python docs/findings.py` from the table in `analysis/integrity/findings.toml`.

| finding | effect | what it means | what to do |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The page, whole."""
    return _HEAD + "".join(f"{row}\n" for row in _rows()) + _renamed()


def _rows() -> Iterator[str]:
    for effect in Effect:
        yield from (_row(kind) for kind in FINDING_KIND.values() if kind.effect is effect)


def _row(kind: FindingKind) -> str:
    name = f'<a id="{kind.slug}"></a>`{kind.slug}`'
    return f"| {name} | {kind.effect} | {kind.meaning} | {kind.remedy} |"


def _renamed() -> str:
    pairs = [f"`{kind.formerly}` is `{kind.slug}` now" for kind in FINDING_KIND.values() if kind.formerly]
    return "\nNames in older reports:\n\n" + "".join(f"- {pair}\n" for pair in pairs)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
