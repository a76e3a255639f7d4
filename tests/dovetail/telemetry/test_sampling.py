import pytest
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from dovetail.telemetry.sampling import EntrySampler

NONE, ALL = EntrySampler(0), EntrySampler(1)


def is_kept(
    sampler: EntrySampler, kind: SpanKind, parent: bool | None = None, *, remote: bool = True
) -> bool:
    """Return whether a span is kept below a parent, whose flag may be set, or below none."""
    context = None
    if parent is not None:
        state = TraceState([("vendor", "secret")])
        above = SpanContext(1, 1, remote, TraceFlags(int(parent)), state)
        context = set_span_in_context(NonRecordingSpan(above))
    result = sampler.should_sample(context, 1, "name", kind)
    assert not result.trace_state, "a visitor's text goes on"
    return result.decision is Decision.RECORD_AND_SAMPLE


@pytest.mark.parametrize("flag", [True, False, None])
def test_client_cannot_choose_whether_its_request_is_kept(*, flag: bool | None) -> None:
    """Kind: a flag that is set, and a trace id, 1 here, that is low enough for any rate."""
    assert not is_kept(NONE, SpanKind.SERVER, flag)
    assert not is_kept(EntrySampler(1e-9), SpanKind.SERVER, flag)
    assert is_kept(ALL, SpanKind.SERVER, flag)


@pytest.mark.parametrize("kind", [SpanKind.CONSUMER, SpanKind.INTERNAL, SpanKind.CLIENT])
def test_what_follows_is_kept_as_its_parent(kind: SpanKind) -> None:
    assert is_kept(NONE, kind, parent=True)
    assert not is_kept(ALL, kind, parent=False)


def test_request_inside_of_another_span_of_this_process_follows_it() -> None:
    assert is_kept(NONE, SpanKind.SERVER, parent=True, remote=False)


def test_queries_without_a_parent_are_not_traces() -> None:
    assert not is_kept(ALL, SpanKind.CLIENT)
    assert is_kept(ALL, SpanKind.PRODUCER)
