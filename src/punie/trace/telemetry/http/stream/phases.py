"""From what a client sees of a stream to what the server was doing: prefill and decode, or honestly neither.

    request    headers     : keepalive 512/900  900/900   text  text  text  finish
    |-- model --|--------------- prefill ------------------|------ decode -----|

mlx_lm sends the headers when the prompt is tokenised and its prefill begins; what came before may be waiting or
templating, and stays `model`. A server that sends its headers with the first token shows no prefill.

While it writes a tool call mlx_lm sends nothing, until the call is complete:

    headers     : keepalive 900/900                             call  finish
    |----- prefill ------|----------------- decode ------------------|
    headers                                                     call  finish
    |------------------------ model ---------------------------------|

Only the keepalive that says that all of the prompt is read separates the two there. Without one the silence is
left as what it is. So is the time of an answer that arrives in one piece, which some server or proxy held back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from punie.trace.model import Phase, Provenance
from punie.trace.telemetry.http.timed_phase import TimedPhase


@dataclass(slots=True)
class StreamMarks:
    """When a stream showed what, in nanoseconds since the epoch; None for what it didn't show.

    `prompt_read_ns`: a keepalive said that the whole prompt is read. `first_text_ns`: the first text, if it came
    before any call. `last_output_ns`: the last text or call. `finish_ns`: the event that says why the answer ended.
    """

    headers_ns: int
    prompt_read_ns: int | None = None
    first_text_ns: int | None = None
    last_output_ns: int | None = None
    finish_ns: int | None = None

    @property
    def end_ns(self) -> int | None:
        """When the last token was out, as far as the stream shows it."""
        return self.last_output_ns if self.finish_ns is None else self.finish_ns


def stream_phases(marks: StreamMarks) -> tuple[TimedPhase, ...]:
    """The phases that `marks` prove, none without length."""
    return tuple(phase for phase in _phases(marks) if phase.duration_ns > 0)


def _phases(marks: StreamMarks) -> Iterator[TimedPhase]:
    first_token_ns = marks.first_text_ns
    if first_token_ns in (None, marks.end_ns):  # only a call, or all in one piece: silence came before it
        first_token_ns = marks.prompt_read_ns
    if first_token_ns in (None, marks.end_ns) or marks.last_output_ns is None or marks.end_ns is None:
        return
    yield TimedPhase(Phase.PREFILL, Provenance.STREAM, marks.headers_ns, first_token_ns)
    yield TimedPhase(Phase.DECODE, Provenance.STREAM, first_token_ns, marks.end_ns)
