"""Builders of analysis input, as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from records import build_record

from punie.trace.analysis.records import QueryRecord


@pytest.fixture(scope="session")
def make_record() -> Callable[..., QueryRecord]:
    """`build_record`, for tests."""
    return build_record
