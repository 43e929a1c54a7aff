"""The report of a folder that `bench`, `improve` or `train` made, made again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from punie.trace.bench.folder import BenchFolder
from punie.trace.bench.improve_folder import ImproveFolder
from punie.trace.tuning.folder import TrainingFolder

if TYPE_CHECKING:
    from punie.trace.report.document import Document


def is_measured_folder(path: Path) -> bool:
    """Whether a benchmark, an improvement or a training is there."""
    return any(kind.is_at(path) for kind in (BenchFolder, ImproveFolder, TrainingFolder))


def measured_document(path: Path) -> Document:
    """Its report. Raises InputError."""
    if TrainingFolder.is_at(path):
        from punie.trace.report.builders.training import build_training
        from punie.trace.usecases.training_outputs import read_training

        return build_training(read_training(path))
    if not ImproveFolder.is_at(path):
        return bench_documents(path)[0]
    from punie.trace.report.builders.improvement import build_improvement
    from punie.trace.usecases.improvement import read_improvement

    return build_improvement(read_improvement(path))


def bench_documents(path: Path) -> tuple[Document, Document]:
    """The report of a benchmark, and the same as an entry of a diary. Raises InputError."""
    if BenchFolder.open(path).read_plan().speculative is None:
        from punie.trace.report.builders.experiment import build_experiment
        from punie.trace.usecases.experiment import build_experiment_report

        document = build_experiment(build_experiment_report(path))
        return document, document
    from punie.trace.report.builders.speculative import build_speculative, with_roadmap
    from punie.trace.usecases.bench_report import build_bench_report

    report = build_bench_report(path)
    document = build_speculative(report)
    return document, with_roadmap(document, report)
