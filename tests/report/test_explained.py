"""`--explain`: the words of a report, from the dictionary that the page uses too."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie.trace.__main__ import main
from punie.trace.report.wording.glossary import GLOSSARY

RECORDED = Path(__file__).parents[1] / "data/recorded/frameworks/openllmetry_langgraph.jsonl"


def test_the_words_of_a_report_are_explained_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(RECORDED), "--explain"]) == 0
    _, _, words = capsys.readouterr().out.partition("What the words mean")
    text = " ".join(words.split())
    for word in ("wall time", "contested", "turns"):
        assert GLOSSARY[word].split()[0] in text
        assert word in text
    assert "drafted" not in text  # no draft model here


def test_without_the_flag_nothing_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(RECORDED)]) == 0
    assert "What the words mean" not in capsys.readouterr().out
