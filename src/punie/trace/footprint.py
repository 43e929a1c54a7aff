"""How much memory a process takes: the best figure of the machine, the same for spans and sampler."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from enum import StrEnum

import psutil


class FootprintKind(StrEnum):
    """What was added up over the processes.

    `rss`: resident memory, shared pages counted in each process. `phys_footprint`: what macOS holds a process
    accountable for, the GPU's buffers and compressed pages included (Activity Monitor's "Memory").
    """

    RSS = "rss"
    PHYS_FOOTPRINT = "phys_footprint"


Reader = Callable[[psutil.Process], int]


def footprint_reader() -> tuple[FootprintKind, Reader]:
    """The best figure that this machine gives for a process's memory, and how to read it."""
    if sys.platform == "darwin":
        return FootprintKind.PHYS_FOOTPRINT, read_phys_footprint
    return FootprintKind.RSS, read_rss


def read_rss(process: psutil.Process) -> int:
    """Resident bytes."""
    rss: int = process.memory_info().rss
    return rss


class _RusageInfoV0(ctypes.Structure):
    """`struct rusage_info_v0` of macOS's <sys/resource.h>."""

    _fields_ = (
        ("ri_uuid", ctypes.c_uint8 * 16),
        ("ri_user_time", ctypes.c_uint64),
        ("ri_system_time", ctypes.c_uint64),
        ("ri_pkg_idle_wkups", ctypes.c_uint64),
        ("ri_interrupt_wkups", ctypes.c_uint64),
        ("ri_pageins", ctypes.c_uint64),
        ("ri_wired_size", ctypes.c_uint64),
        ("ri_resident_size", ctypes.c_uint64),
        ("ri_phys_footprint", ctypes.c_uint64),
        ("ri_proc_start_abstime", ctypes.c_uint64),
        ("ri_proc_exit_abstime", ctypes.c_uint64),
    )


def read_phys_footprint(process: psutil.Process) -> int:
    """Footprint in bytes by macOS's `proc_pid_rusage`; of processes of the same user."""
    info = _RusageInfoV0()
    if ctypes.CDLL(None).proc_pid_rusage(process.pid, 0, ctypes.byref(info)) != 0:
        raise psutil.NoSuchProcess(process.pid)
    return int(info.ri_phys_footprint)
