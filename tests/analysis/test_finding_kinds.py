"""The table of findings is whole: what is made has a row, what has a row is made, and the page is up to date."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import punie.trace.model
from punie.trace.analysis.integrity import kinds
from punie.trace.analysis.integrity.finding import finding
from punie.trace.analysis.integrity.kinds import FINDING_KIND, Effect

PACKAGE = Path(punie.trace.model.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"


def docs_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("findings", DOCS / "findings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts_outside_the_table() -> set[str]:
    """Every string literal of the package."""
    trees = (ast.parse(file.read_text("utf-8")) for file in PACKAGE.rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_a_finding_without_a_row_can_not_be_made() -> None:
    with pytest.raises(KeyError):
        finding("no-such-thing", ["a/b"])


def test_every_row_is_made_somewhere() -> None:
    assert set(FINDING_KIND) - texts_outside_the_table() == set()


def test_names_are_unique_old_ones_too() -> None:
    names = [name for kind in FINDING_KIND.values() for name in (kind.slug, kind.formerly) if name]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", FINDING_KIND.values(), ids=lambda kind: kind.slug)
def test_a_row_says_what_it_means_and_what_to_do(kind: kinds.FindingKind) -> None:
    assert kind.meaning
    assert not kind.meaning.endswith("."), "figures may follow"
    assert kind.remedy.endswith(".")


def test_figures_end_the_message_and_an_effect_may_be_lighter() -> None:
    found = finding("outside-window", ["a/b", "a/b", "a/c"], figures="by 3 ms", effect=Effect.SHOWN, most=1)
    assert found.message == f"{FINDING_KIND['outside-window'].meaning}: by 3 ms"
    assert (found.effect, found.count, found.examples, found.examples_left_out) == (
        Effect.SHOWN,
        3,
        ("a/b",),
        1,
    )


def test_the_page_is_what_the_table_says() -> None:
    page = docs_module().page()
    assert (DOCS / "findings.md").read_text("utf-8") == page, "run python docs/findings.py"
    assert all(f"### `{kind.slug}`\n" in page for kind in FINDING_KIND.values())
