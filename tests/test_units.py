"""Numbers to text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie.trace.errors import ExitCode, UsageError
from punie.trace.units import (
    bytes_text,
    confidence_text,
    count_text,
    duration_text,
    factor_text,
    parse_bytes,
    parse_duration_ns,
    parse_percent,
    percent_text,
    share_text,
    signed_percent_text,
)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (850_000, "850 µs"),
        (999_400, "999 µs"),
        (999_600, "1.00 ms"),
        (1_230_000, "1.23 ms"),
        (9_996_000, "10.0 ms"),
        (12_345_678, "12.3 ms"),
        (999_600_000, "1.000 s"),
        (1_234_000_000, "1.234 s"),
        (12_344_000_000, "12.34 s"),
        (99_996_000_000, "100.0 s"),
        (123_400_000_000, "123.4 s"),
        (12_345_600_000_000, "12346 s"),
        (-12_345_678, "-12.3 ms"),
    ],
)
def test_duration(ns: int, text: str) -> None:
    assert duration_text(ns) == text


@pytest.mark.parametrize(
    ("level", "text"),
    [(0.95, "95 %"), (0.975, "97.5 %"), (1 - 0.05 / 3, "98.33 %"), (1 - 0.05 / 4, "98.75 %")],
)
def test_confidence(level: float, text: str) -> None:
    assert confidence_text(level) == text


@pytest.mark.parametrize(("factor", "text"), [(1.0, "1.00×"), (0.756, "0.76×"), (12.3, "12.30×")])
def test_factor(factor: float, text: str) -> None:
    assert factor_text(factor) == text


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (1.2, "1.20×"),
        (1.196, "1.196×"),
        (1.2003, "1.2003×"),
        (1.19, "1.19×"),
        (1.20004, "1.20004×"),
    ],
)
def test_no_factor_is_rounded_onto_a_threshold_that_it_misses(factor: float, text: str) -> None:
    assert factor_text(factor, threshold=1.2) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.07, "+7.0 %"), (-0.0994, "-9.9 %"), (0.0004, "< +0.1 %"), (-1e-9, "> -0.1 %")],
)
def test_a_change_is_never_minus_nothing(share: float, text: str) -> None:
    assert signed_percent_text(share) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_duration_keeps_three_digits(ns: int) -> None:
    number, unit = duration_text(ns).split()
    size = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert float(number) * size == pytest.approx(ns, rel=0.0051)
    assert unit == "s" or float(number) < 1000


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (0.0006, "0.1 %"),
        (0.7123, "71.2 %"),
        (0.9994, "99.9 %"),
        (0.9999, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_share(share: float, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (1_234_000_000, "1.2 GB"),
        (19_600_000_000, "19.6 GB"),
        (2_500_000_000_000, "2.5 TB"),
        (-1_500, "-1.5 kB"),
    ],
)
def test_bytes(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_percent_without_decimals() -> None:
    assert [percent_text(share) for share in (0.0, 0.7, 0.95, 1.0)] == ["0 %", "70 %", "95 %", "100 %"]


def test_count() -> None:
    assert [count_text(n, "query", "queries") for n in (0, 1, 2)] == ["0 queries", "1 query", "2 queries"]
    assert count_text(3, "repeat") == "3 repeats"


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("10s", 10_000_000_000),
        ("500ms", 500_000_000),
        (" 1.5 min ", 90_000_000_000),
        ("2m", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("250us", 250_000),
        ("250µs", 250_000),
        ("7NS", 7),
        ("0.1s", 100_000_000),
    ],
)
def test_parse_duration(text: str, ns: int) -> None:
    assert parse_duration_ns(text, flag="--target") == ns


@pytest.mark.parametrize(
    ("text", "size"), [("32GB", 32 * 10**9), ("32GiB", 32 * 2**30), ("512 mb", 512 * 10**6), ("1.5kB", 1500)]
)
def test_parse_bytes(text: str, size: int) -> None:
    assert parse_bytes(text, flag="--max-memory") == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10", "--target: '10' has no unit"),
        ("fast", "--target: 'fast' is not a number with a unit"),
        ("", "--target: '' is not a number with a unit"),
        ("-3s", "--target: '-3s' is not a number with a unit"),
        ("1e3s", "--target: '1e3s' is not a number with a unit"),
        ("10 parsecs", "--target: the unit 'parsecs' is unknown"),
        ("0s", "--target: '0s' must be above zero"),
        ("0.1ns", "--target: '0.1ns' must be above zero"),
        ("9" * 40 + "s", f"--target: '{'9' * 30}…' is too large"),
    ],
)
def test_parse_refuses_and_names_the_flag(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration_ns(text, flag="--target")
    assert caught.value.message == message
    assert caught.value.remedy
    assert caught.value.exit_code is ExitCode.USAGE


def test_no_percentage_is_more_than_a_number_holds() -> None:
    with pytest.raises(UsageError, match="is too large"):
        parse_percent("9" * 400 + "%", flag="--width")


def test_parse_bytes_refuses_a_duration() -> None:
    with pytest.raises(UsageError, match="--max-memory: the unit 's' is unknown"):
        parse_bytes("10s", flag="--max-memory")
