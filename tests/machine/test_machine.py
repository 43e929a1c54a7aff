"""The branches for macOS, with output as its programs print it; the branch of the machine that the test runs on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from punie.trace.machine.facts import machine_facts
from punie.trace.machine.programs import program_output
from punie.trace.machine.swap import Swap, read_swap

VM_STAT = """\
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                                6123.
Pages active:                            412345.
Pageins:                                9876543.
Pageouts:                                 12345.
Swapins:                                    100.
Swapouts:                                  2000.
"""
BATTERY = """\
Now drawing from 'Battery Power'
 -InternalBattery-0 (id=1234567)	87%; discharging; 4:12 remaining present: true
"""
SETTINGS = """\
System-wide power settings:
Currently in use:
 standby              1
 lowpowermode         1
 sleep                1 (sleep prevented by caffeinate)
"""
THERMAL = (
    "Note: No thermal warning level has been recorded\nCPU_Scheduler_Limit \t= 100\nCPU_Speed_Limit \t= 62\n"
)


def printing(**texts: str) -> Callable[[Sequence[str]], str]:
    """The system's programs, by the last word of the command."""
    return lambda command: texts.get(command[-1].removeprefix("-").rpartition("/")[2], "")


def test_what_macos_swapped_is_not_what_it_paged_in() -> None:
    swap = read_swap("darwin", printing(vm_stat=VM_STAT))
    assert (swap.in_bytes, swap.out_bytes) == (100 * 16_384, 2_000 * 16_384)


@pytest.mark.parametrize("text", ["", "vm_stat: failed", VM_STAT.replace("Swapouts", "Other")])
def test_what_vm_stat_does_not_say_is_not_known(text: str) -> None:
    swap = read_swap("darwin", printing(vm_stat=text))
    assert (swap.in_bytes, swap.out_bytes) == (None, None)


@pytest.mark.skipif(sys.platform == "darwin", reason="psutil's figures are of another kind there")
def test_swap_of_this_machine() -> None:
    memory = psutil.swap_memory()
    assert read_swap() == Swap(memory.used, memory.sin, memory.sout)


def test_a_mac_on_battery_that_is_slowed_down() -> None:
    texts = {"machdep.cpu.brand_string": "Apple M4 Max\n", "batt": BATTERY, "g": SETTINGS, "therm": THERMAL}
    facts = machine_facts("darwin", printing(**texts))
    assert (facts["chip"], facts["power"], facts["low_power"], facts["cpu_speed_limit"]) == (
        "Apple M4 Max",
        "battery",
        "on",
        "62 %",
    )


def test_what_a_mac_does_not_say_is_absent() -> None:
    facts = machine_facts("darwin", printing())
    assert not {"chip", "power", "low_power", "cpu_speed_limit"} & set(facts)
    assert facts["memory_bytes"] == str(psutil.virtual_memory().total)


def test_a_linux_laptop(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD Ryzen 7\n",
        "sys/class/power_supply/AC/online": "0\n",
        "sys/class/power_supply/BAT0/status": "Discharging\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    facts = machine_facts("linux", root=tmp_path)
    assert (facts["chip"], facts["power"], facts["cpu_governor"]) == ("AMD Ryzen 7", "battery", "powersave")


def test_a_program_that_is_missing_or_fails_says_nothing() -> None:
    assert program_output(("/nowhere/at/all",)) == ""
    assert program_output((sys.executable, "-c", "print('half'); raise SystemExit(1)")) == ""
    assert program_output((sys.executable, "-c", "print('whole')")) == "whole\n"
