"""What a training leaves: report, adapter with its card, configuration, an entry for a diary."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from punie.trace.analysis.experiment.arms import PromptCache, ServerSettings
from punie.trace.analysis.experiment.configuration import Configuration, configuration_text
from punie.trace.analysis.tuning.judgement import ModelVariant
from punie.trace.analysis.tuning.training import Training, TrainingEnding
from punie.trace.errors import InputError
from punie.trace.model import Verdict
from punie.trace.report.builders.training import QUESTION
from punie.trace.report.formats import HTML, JSON, MARKDOWN
from punie.trace.report.wording.training import basis, next_steps, seeds_line
from punie.trace.store import documents
from punie.trace.store.files.whole_file import PRIVATE, write_whole
from punie.trace.tuning.folder import TrainingFolder
from punie.trace.units import percent_text

if TYPE_CHECKING:
    from pathlib import Path

    from punie.trace.report.document import Document
    from punie.trace.usecases.concise_training import ConciseTraining

_ADAPTER: Final = "adapter"
_REPORT: Final = "report.json"


def write_outputs(training: ConciseTraining, made: Training, document: Document) -> Iterator[str]:
    """Write them into the training's folder; a line for each. Raises OutputError."""
    folder = training.folder.path
    if made.judgement is not None and made.best is not None:
        adapter = _keep_adapter(training, made)
        yield f"adapter and card: {adapter}"
        yield f"configuration: {_write(folder / 'config.toml', _config(training, made, adapter))}"
    yield f"diary entry: {_write(folder / 'diary.md', diary(made))}"
    yield f"report: {_write(folder / 'report.md', MARKDOWN.write(document))}"
    yield f"report as a page: {_write(folder / 'report.html', HTML.write(document))}"
    _write(folder / _REPORT, JSON.write(document))


def read_training(path: Path) -> Training:
    """The training in the folder at `path`, as it ended. Raises InputError if it hasn't."""
    folder = TrainingFolder.open(path)
    report = folder.path / _REPORT
    if not report.exists():
        raise InputError(
            f"{path}: the training hasn't ended", remedy=f"go on: punie-trace train concise --resume {path}"
        )
    raw = documents.parse(documents.read_text(report), str(report))
    return documents.typed(raw, Training, str(report))


def _write(path: Path, text: str) -> Path:
    write_whole(path, text, mode=PRIVATE)
    return path


def _keep_adapter(training: ConciseTraining, made: Training) -> Path:
    """The best checkpoint under a name that stays, with its card."""
    best = made.best
    assert best is not None  # noqa: S101 # the caller looked
    source = training.folder.path / "adapters" / f"seed-{best.seed}-{best.iteration:07d}"
    target = training.folder.path / _ADAPTER
    shutil.copytree(source, target, dirs_exist_ok=True)
    _write(target / "README.md", card(made))
    return target


def _config(training: ConciseTraining, made: Training, adapter: Path) -> str:
    """The winner as `run`, `serve` and `bench` take it; the base where nothing was won."""
    plan, judgement = training.plan, made.judgement
    chosen = judgement.chosen if judgement and judgement.verdict is Verdict.YES else None
    server = ServerSettings(plan.model, adapter=plan.adapter, prompt_cache=PromptCache(plan.prompt_cache))
    if chosen is not None and chosen.kind is ModelVariant.FUSED:
        form = next(form for form in made.fused if form.name == chosen.name)
        server = replace(server, model=str(training.folder.fused(form.way).absolute()), adapter=None)
    elif chosen is not None:
        server = replace(server, adapter=str(adapter.absolute()))
    named = ("model", "prompt_cache", *(["adapter"] if server.adapter else []))
    configuration = Configuration(server, named=frozenset(("server", name) for name in named))
    return configuration_text(configuration, f"{QUESTION} {made.verdict.value}: {basis(made)}")


def card(made: Training) -> str:
    """What the adapter is, from which data and settings, what it showed, and what it can't."""
    chosen = made.judgement.chosen if made.judgement else None
    settings = "\n".join(f"- {name}: {value}" for name, value in made.settings.items())
    best = made.best
    lines = [
        "# Adapter for brevity",
        "",
        f"For the model `{made.model}`"
        + (f", in place of the adapter `{made.adapter}`" if made.adapter else "")
        + ".",
        "",
        "## Data",
        "",
        f"{made.rows} rows out of the model's own shortest right answers to {len(made.examples)} queries of the suite "
        f"{made.suite}, {made.samples} answers to each, at temperature {made.temperature:g}, and of the file given "
        "with --examples, if any. It holds content of those runs: treat the adapter as you treat them.",
        "",
        "## Settings",
        "",
        settings,
        f"- seed {best.seed}, iteration {best.iteration}" if best else "",
        f"- {seeds_line(made)}",
        "",
        "## Figures",
        "",
        f"{QUESTION} {made.verdict.value}. {basis(made)}",
        "",
        *([_figures(made)] if chosen else []),
        "",
        "## What it can't",
        "",
        "It was judged on this suite, this agent and this machine alone. Other tools, other instructions and longer "
        "conversations were not asked. Fused into the model it may lose what it has: only the forms that the report "
        "names as passing were checked.",
    ]
    return "\n".join(lines) + "\n"


def _figures(made: Training) -> str:
    judgement = made.judgement
    assert judgement is not None  # noqa: S101 # the caller looked
    assert judgement.chosen is not None  # noqa: S101 # as above
    base, chosen = judgement.arms[0], judgement.chosen
    tokens = (
        f"{base.tokens:.1f} → {chosen.tokens:.1f} output tokens a query"
        if base.tokens and chosen.tokens
        else ""
    )
    speed = f", {percent_text(chosen.times.saved)} less wall time" if chosen.times else ""
    accuracy = chosen.kept
    return (
        f"{tokens}{speed}; {accuracy.right} of {accuracy.asked} right (base: {base.kept.right}), "
        f"{len(accuracy.worse)} of {accuracy.compared} worse, "
        f"at most {percent_text(accuracy.most_worse)} of such queries."
    )


def diary(made: Training) -> str:
    """An entry for a diary, and a row for a roadmap."""
    date = made.created.partition("T")[0]
    tried = [
        f"- {form.name} {'passed' if form.passes else 'was refused by'} the fuse gate" for form in made.fused
    ] or ["- nothing was trained"] * (made.ending is not TrainingEnding.JUDGED)
    figures = _figures(made) if made.judgement and made.judgement.chosen else ""
    step = next(iter(next_steps(made)), "")
    judgement = made.judgement
    before = f"{judgement.arms[0].tokens:.1f} tokens" if judgement and judgement.arms[0].tokens else "–"
    after = (
        f"{judgement.chosen.tokens:.1f} tokens"
        if judgement and judgement.chosen and judgement.chosen.tokens
        else "–"
    )
    lines = [
        f"## {date}: does training the model to write shorter answers pay?",
        "",
        f"Model {made.model}, suite {made.suite}.",
        "",
        *tried,
        "",
        *([figures, ""] if figures else []),
        f"Decision: {made.verdict.value}. {basis(made)}",
        "",
        f"Next: {step}",
        "",
        "For the roadmap:",
        "",
        "| phase | goal | before | after | verdict | link |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| say less | fewer output tokens, same answers | {before} | {after} | {made.verdict.value} | {made.source} |",
    ]
    return "\n".join(lines) + "\n"
