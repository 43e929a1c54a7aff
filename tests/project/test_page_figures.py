"""What the method's pages say of a threshold, a count or a limit is what the code has: a row for each."""

from __future__ import annotations

import re
from typing import Final

import pytest
from pages import PROJECT

from punie.trace.analysis.calls import coverage
from punie.trace.analysis.comparison import compare, design
from punie.trace.analysis.experiment import gates, size
from punie.trace.analysis.improvement import confirmation, planner, ranking, screening
from punie.trace.analysis.speculative import model as speculative
from punie.trace.analysis.statistics import permutation, ratio
from punie.trace.analysis.tuning import margin, worth
from punie.trace.analysis.verdicts import generation, target
from punie.trace.bench import disturbance

MIB: Final = 2**20
ROWS: Final = (
    ("docs/method/verdicts.md", "interval is above {:.2f}", generation.THRESHOLD),
    ("docs/method/verdicts.md", "generation > {:.0%}", generation.THRESHOLD),
    ("docs/method/verdicts.md", "fewer than {} queries", generation.QUERIES_NEEDED),
    ("docs/reports.md", "every repeat that counts ({} or more)", target.REPEATS_NEEDED),
    ("docs/reports.md", "under `--target` ({:.0f} s)", target.DEFAULT_TARGET_NS / 1e9),
    ("docs/method/ledger.md", "leave more than {} % of it uncovered", coverage.AFTER_PERCENT),
    ("docs/method/compare.md", "p of {:.0%} or less", permutation.ALPHA),
    ("docs/method/compare.md", "fewer than {} pairs", design.PAIRS_NEEDED),
    ("docs/method/compare.md", "{:.0%} (or the gate's threshold)", compare.DEFAULT_SIZE),
    ("docs/method/what-if.md", "{} queries it leaves out", ratio.JACKKNIFE_EACH_UP_TO),
    ("docs/method/what-if.md", "one of {} groups at a time", ratio.JACKKNIFE_GROUPS),
    ("docs/method/improve.md", "the baseline, twice, {} blocks", planner.BASELINE_BLOCKS),
    ("docs/method/improve.md", "each lever by itself, {} or {} blocks", screening.SCREENING_LOOKS),
    ("docs/method/improve.md", "typically {}× or more", screening.LEAST_SCREENED),
    ("docs/method/improve.md", "its 3 blocks still holds {:.2f}", screening.WOULD_BE_MISSED),
    ("docs/method/improve.md", "the best of them, {} blocks", planner.COMBINATION_BLOCKS),
    ("docs/method/improve.md", "looked at after {}, {}, {}, {} and {} blocks", confirmation.LOOKS),
    ("docs/method/improve.md", "less than {:.0%}", ranking.LEAST_SHARE),
    ("docs/method/experiments.md", "{:.0f} MiB or was throttled", gates.LEAST_SWAP_BYTES / MIB),
    ("docs/method/experiments.md", "{:.0f} MiB or was throttled", disturbance.LEAST_SWAP_BYTES / MIB),
    ("docs/tasks/experiment.md", "blocks = {} ", size.DEFAULT_BLOCKS),
    ("docs/method/train.md", "is above {:.0%} of the wall time", worth.THRESHOLD),
    ("docs/method/train.md", "(`--margin`, {:.0%})", margin.DEFAULT_MARGIN),
    ("docs/method/drafts.md", "least {:.2f}, `no` if all of it is below", speculative.THRESHOLD),
)


def said(template: str, value: object) -> str:
    """The page's words: percentages as pages write them, a space before the sign."""
    text = template.format(*value) if isinstance(value, tuple) else template.format(value)
    return re.sub(r"(?<=\d)%", " %", text)


@pytest.mark.parametrize(("page", "template", "value"), ROWS, ids=lambda part: str(part)[:50])
def test_the_page_says_what_the_code_has(page: str, template: str, value: object) -> None:
    text = " ".join((PROJECT / page).read_text(encoding="utf-8").split())
    assert said(template, value) in text
