"""What a page says of the machine is for people: words and units, not the names of fields."""

from __future__ import annotations

from dataclasses import replace

from sample_reports import about, one

from punie.trace.report.builders.provenance import run_provenance


def test_the_machines_memory_has_a_unit() -> None:
    machine = {"logical_cpus": "2", "memory_bytes": "25276510208", "chip": "AMD EPYC"}
    table = run_provenance(replace(one(), about=about(machine=machine))).table
    assert table is not None
    rows = {str(name): value for name, value in table.rows}
    assert rows["machine: memory"] == "25.3 GB"
    assert rows["machine: logical cpus"] == "2"
    assert "machine: memory_bytes" not in rows


def test_memory_that_is_no_number_is_left_out() -> None:
    table = run_provenance(replace(one(), about=about(machine={"memory_bytes": "much"}))).table
    assert table is not None
    assert not [name for name, *_ in table.rows if str(name).startswith("machine")]
