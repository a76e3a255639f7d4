"""Which traces are kept.

Own code because OpenTelemetry's samplers believe the caller: a `traceparent` with its flag set, or
a trace id that is low enough, would be kept whatever the rate is. A browser may choose the id, so
that its visit and the request are one trace, but not whether it is kept.
"""

import random
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes


class EntrySampler(Sampler):
    """Decides once, where a request enters or a task starts; everything below follows.

    | Span | Kept |
    |---|---|
    | a request, whatever its `traceparent` says | by the rate |
    | anything with a parent of this site, also through the broker | as its parent |
    | a query or a command without a parent, such as a pool's own | never |
    | anything else without a parent | by the rate |
    """

    def __init__(self, rate: float) -> None:
        """Args: rate: the share that is kept, from 0 to 1."""
        self.rate = rate

    def should_sample(  # noqa: PLR0917 - the interface's
        self,
        parent_context: Context | None,
        trace_id: int,  # noqa: ARG002
        name: str,  # noqa: ARG002
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,  # noqa: ARG002
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid and not (parent.is_remote and kind is SpanKind.SERVER):
            keep = parent.trace_flags.sampled
        elif kind is SpanKind.CLIENT:
            keep = False
        else:
            keep = random.random() < self.rate  # noqa: S311 - no secret
        # Without the trace state, in which a visitor may write what it likes.
        return SamplingResult(
            Decision.RECORD_AND_SAMPLE if keep else Decision.DROP, attributes if keep else None
        )

    def get_description(self) -> str:
        return f"EntrySampler{{{self.rate}}}"
