"""Shows collected traces in the browser. Every view returns 404 unless DEBUG is on."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dovetail.devtools.mailbox.views import only_in_debug
from dovetail.telemetry.start import is_tracing


@only_in_debug
@require_safe
def traces(request: HttpRequest) -> HttpResponse:
    from dovetail.devtools.traces import spans  # noqa: PLC0415 - the package may be missing

    page = Paginator(spans.traces(), 50).get_page(request.GET.get("page"))
    return render(request, "devtools/traces.html", {"page_obj": page, "is_tracing": is_tracing()})


@only_in_debug
@require_safe
def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    from dovetail.devtools.traces import spans  # noqa: PLC0415 - as above

    if found := spans.find(trace_id):
        return render(request, "devtools/trace.html", {"trace": found, "chart": spans.WIDTH})
    raise Http404


@only_in_debug
@require_POST
def emptying(request: HttpRequest) -> HttpResponse:
    from dovetail.devtools.traces import spans  # noqa: PLC0415 - as above

    spans.empty()
    messages.success(request, "Deleted all traces.")
    response = redirect("devtools:traces")
    response.status_code = 303  # so that Turbo follows it with a GET
    return response
