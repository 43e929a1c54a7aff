"""Streams that ended before their answer did: nobody raises for them, so callers have to look here."""

from __future__ import annotations

from typing import Final

from punie.trace.telemetry.noted import Noted

CUT_STREAMS: Final = Noted("models_of_cut_streams")
"""The models whose streams were cut short, one entry a stream."""
