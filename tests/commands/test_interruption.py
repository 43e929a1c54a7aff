"""However a command ends early, its own reason is what counts."""

from __future__ import annotations

import asyncio

import pytest

from punie.trace.errors import OutputError, ServerError
from punie.trace.usecases.interruption import telling_how_to_go_on


def test_how_to_go_on_is_told_and_a_cancelled_task_is_an_interruption() -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), telling_how_to_go_on(said.append, "again: x"):
        raise asyncio.CancelledError
    assert said == ["again: x"]


def test_what_can_not_be_told_does_not_replace_the_reason() -> None:
    def fail(_: str) -> None:
        raise OutputError("standard error is full")

    with pytest.raises(ServerError, match="died"), telling_how_to_go_on(fail, "again: x"):
        raise ServerError("the server died")
