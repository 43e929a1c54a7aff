"""What a report says of drafts on a server of somebody else's: how many were taken, and what that hides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_improvements import BASE, observe, plan

from punie.trace.analysis.experiment.arms import Arm, ServerSettings
from punie.trace.analysis.experiment.drafting import Drafting
from punie.trace.analysis.experiment.measured import Measured
from punie.trace.analysis.experiment.results import analyse
from punie.trace.report.builders.experiment import build_experiment
from punie.trace.report.content import ExperimentContent
from punie.trace.report.formats import MARKDOWN

NGRAM = Arm("brief", ServerSettings(program="llama-server --spec-type ngram-simple --port {port}"))


def _report(repeats: int, drafting: Drafting | None) -> str:
    found = plan((BASE, NGRAM), blocks=3, repeats=repeats)
    seen = [
        replace(observe(arm, block, query), drafting=drafting if arm is NGRAM else None)
        for block in range(3)
        for arm in (BASE, NGRAM)
        for query in found.queries
    ]
    return MARKDOWN.write(build_experiment(ExperimentContent("bench", analyse(Measured(found, tuple(seen))))))


@pytest.mark.parametrize("repeats", [1, 2])
def test_acceptance_stands_beside_what_inflates_it(repeats: int) -> None:
    said = _report(repeats, Drafting(0, 40, 10, ()))
    assert "120 of 480" in said
    assert "drafts from its own earlier answer" in said
    assert ("taken more often than on new questions" in said) is (repeats > 1)


def test_without_drafts_there_is_no_column_for_them() -> None:
    said = _report(1, None)
    assert "drafts taken" not in said
    assert "n-gram" not in said
