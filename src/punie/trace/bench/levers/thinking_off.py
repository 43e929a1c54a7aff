"""Thinking switched off by an argument of the chat template, as Qwen3's and others' have it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from punie.trace.analysis.experiment.arms import Arm, ExpectedOutput, ServerKind
from punie.trace.bench.levers.lever import Lever, Scope, once

ARGUMENT: Final = "enable_thinking"
_TEMPLATE_FILES: Final = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")


def _apply(arm: Arm, _value: str) -> Arm:
    arguments = dict(arm.request.template_args) | {ARGUMENT: False}
    return replace(arm, request=replace(arm.request, template_args=arguments))


def _applies(arm: Arm) -> str:
    if arm.request.template_args.get(ARGUMENT) is False:
        return "thinking is off already"
    if arm.server.kind is ServerKind.MLX and arm.server.model and Path(arm.server.model).is_dir():
        files = (Path(arm.server.model) / name for name in _TEMPLATE_FILES)
        if not any(
            ARGUMENT in file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()
        ):
            return f"the model's chat template has no {ARGUMENT}"
    return ""


LEVER: Final = Lever(
    name="thinking-off",
    title="no thinking before the answer",
    scope=Scope.REQUEST,
    output=ExpectedOutput.JUDGED,
    apply=_apply,
    applies=_applies,
    propose=once,
    unpredicted="how many of the written tokens were thinking isn't known",
)
