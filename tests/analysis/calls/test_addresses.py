"""Where a request went: host, port and path, without what is secret or varies."""

from __future__ import annotations

import pytest
from small_traces import post

from punie.trace.analysis.calls.addresses import address, is_model_address


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://user:key@Host.example:8000/v1/messages?beta=true", "host.example:8000/v1/messages"),
        ("https://host/v1/chat/completions?user=a@b.example", "host/v1/chat/completions"),
        (
            "https://host/v1/publishers/models/claude@20240620:rawPredict",
            "host/v1/publishers/models/claude@20240620:rawpredict",
        ),
    ],
)
def test_an_at_sign_behind_the_host_is_no_end_of_credentials(url: str, place: str) -> None:
    request = post("p", None, 0, 1, url)
    assert address(request) == place
    assert is_model_address(place)
