"""What programs read: the schemas beside the types are made from them."""

from __future__ import annotations

import pytest

from punie.trace.report.published.schemas import PUBLISHED, schema_path, schema_text


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_schema_is_what_the_type_says(name: str) -> None:
    """If not: `python -m punie.trace.report.published.schemas`, and say in the changelog what changed."""
    assert schema_path(name).read_text("utf-8") == schema_text(PUBLISHED[name])
