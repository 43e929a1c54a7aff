"""The ways to fuse an adapter, and the gate that a fused model has to pass: it keeps what the adapter had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class FuseWay(StrEnum):
    """How the touched layers are kept: quantised again at the base's bits, at 8 bits, or not quantised at all."""

    BASE_BITS = "base-bits"
    EIGHT_BITS = "8-bits"
    DEQUANTIZED = "dequantized"


@dataclass(frozen=True, slots=True)
class Fused:
    """What one fused form did on the validation queries beside the unfused adapter.

    lost: queries that the adapter had right in every execution and this form had wrong in one.
    right, asked: of this form; tokens: its output tokens a query, adapter_tokens the adapter's, None if not known.
    decode: its time for an output token relative to the adapter's, None if not known.
    """

    name: str
    way: FuseWay
    lost: tuple[str, ...]
    right: int
    asked: int
    tokens: float | None
    adapter_tokens: float | None
    decode: float | None

    @property
    def passes(self) -> bool:
        """Whether it keeps every answer, and stays about as short."""
        return not self.lost and not self.is_longer and self.asked > 0

    @property
    def is_longer(self) -> bool:
        """Whether it says noticeably more than the adapter: brevity is what the adapter had."""
        if self.tokens is None or self.adapter_tokens is None:
            return False
        return self.tokens > MORE_TOKENS * self.adapter_tokens


MORE_TOKENS = 1.15
"""A fused form whose output is longer by more than this has lost the adapter's brevity."""


def first_to_pass(forms: Iterable[Fused]) -> Fused | None:
    """The first form, in the order of `FuseWay`, that keeps what the adapter had."""
    order = list(FuseWay)
    passed = [form for form in forms if form.passes]
    return min(passed, key=lambda form: order.index(form.way), default=None)
