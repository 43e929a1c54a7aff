"""What kind of machine this is, for the plan of a run; no name that would identify its owner."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Final

import psutil

from punie.trace.machine.programs import RunProgram, program_output

_CHIP: Final = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
_BATTERY: Final = ("/usr/bin/pmset", "-g", "batt")
_SETTINGS: Final = ("/usr/bin/pmset", "-g")
_THERMAL: Final = ("/usr/bin/pmset", "-g", "therm")
_SOURCE: Final = re.compile(r"Now drawing from '(AC|Battery|UPS) Power'")
_LOW_POWER: Final = re.compile(r"^\s*(?:lowpowermode|powermode)\s+(\d)", re.MULTILINE)
_SPEED_LIMIT: Final = re.compile(r"CPU_Speed_Limit\s*=\s*(\d+)")
_MODEL_NAME: Final = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_SOURCES: Final = {"AC": "mains", "Battery": "battery", "UPS": "UPS"}


def machine_facts(
    system: str = sys.platform, run: RunProgram = program_output, root: Path = Path("/")
) -> dict[str, str]:
    """System, processor, memory; on which power, in which power mode, how far slowed down. What isn't known is absent.

    `power` is "mains", "battery" or "UPS"; `low_power` "on" or "off"; `cpu_speed_limit` a percentage. Such a state is
    that of the moment.
    """
    facts: dict[str, str | None] = {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "logical_cpus": str(os.cpu_count()),
        "memory_bytes": str(psutil.virtual_memory().total),
    }
    facts |= _of_macos(run) if system == "darwin" else _of_linux(root)
    return {name: value for name, value in facts.items() if value}


def _of_macos(run: RunProgram) -> dict[str, str | None]:
    source, mode = _SOURCE.search(run(_BATTERY)), _LOW_POWER.search(run(_SETTINGS))
    limit = _SPEED_LIMIT.search(run(_THERMAL))
    return {
        "chip": run(_CHIP).strip(),
        "power": _SOURCES[source[1]] if source else None,
        "low_power": ("on" if mode[1] == "1" else "off") if mode else None,
        "cpu_speed_limit": f"{limit[1]} %" if limit else None,
    }


def _of_linux(root: Path) -> dict[str, str | None]:
    model = _MODEL_NAME.search(_text(root / "proc/cpuinfo"))
    mains = [_text(file).strip() for file in root.glob("sys/class/power_supply/*/online")]
    governors = {
        _text(file).strip() for file in root.glob("sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")
    }
    return {
        "chip": model[1].strip() if model else None,
        "power": ("mains" if "1" in mains else "battery") if mains else None,
        "cpu_governor": ", ".join(sorted(governors - {""})),
    }


def _text(file: Path) -> str:
    """A file of the kernel's; nothing where there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
