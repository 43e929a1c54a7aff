"""How much the whole machine has swapped since it started.

On macOS psutil's `sin` and `sout` are page-ins and page-outs, which reading any file raises; what was swapped is told
by `vm_stat` ("Swapins", "Swapouts", in pages).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Final

import psutil

from punie.trace.machine.programs import RunProgram, program_output

_VM_STAT: Final = ("/usr/bin/vm_stat",)
_PAGE: Final = re.compile(r"page size of (\d+) bytes")
_COUNTER: Final = re.compile(r"^(Swapins|Swapouts):\s+(\d+)\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Swap:
    """Bytes: in use now, and moved in and out since the machine started; None where that isn't known."""

    used_bytes: int
    in_bytes: int | None
    out_bytes: int | None


def read_swap(platform: str = sys.platform, run: RunProgram = program_output) -> Swap:
    """The machine's swap as it is."""
    memory = psutil.swap_memory()
    if platform != "darwin":
        return Swap(memory.used, memory.sin, memory.sout)
    return Swap(memory.used, *_of_vm_stat(run(_VM_STAT)))


def _of_vm_stat(text: str) -> tuple[int | None, int | None]:
    page, counters = _PAGE.search(text), dict(_COUNTER.findall(text))
    if page is None or len(counters) < 2:
        return None, None
    size = int(page[1])
    return int(counters["Swapins"]) * size, int(counters["Swapouts"]) * size
