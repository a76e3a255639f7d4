"""Serves the OpenAPI schema as JSON or YAML, by `Accept` or by `?format=yaml`.

Own code because drf-spectacular generates it for each request, which takes a second of the
processor: here a process does it once.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import condition
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dovetail.api.faults import BadInput, Fault
from dovetail.api.filters import refuse_unknown

RENDERERS: tuple[type[Any], ...] = (
    OpenApiJsonRenderer2,
    OpenApiJsonRenderer,
    OpenApiYamlRenderer2,
    OpenApiYamlRenderer,
)
FORMATS = {"json": OpenApiJsonRenderer2, "yaml": OpenApiYamlRenderer2}
MAX_AGE = 300  # seconds


@lru_cache
def rendered(media_type: str) -> bytes:
    """Return the schema of everything, for whoever asks."""
    [renderer] = [known() for known in RENDERERS if known.media_type == media_type]
    data = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(public=True)
    content: bytes = renderer.render(data, renderer_context={})
    return content


class SchemaView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = RENDERERS

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the renderer that the address names, or all of them, for `Accept` to choose.

        Raises:
            BadInput: it names none.
        """
        request = getattr(self, "request", None)
        given = request.GET.get("format") if request else None
        if given is None:
            return super().get_renderers()
        if given in FORMATS:
            return [FORMATS[given]()]
        return [OpenApiJsonRenderer2()]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse | Response:
        refuse_unknown(request, ["format"])
        if request.query_params.get("format", "json") not in FORMATS:
            told = f"Must be one of {', '.join(FORMATS)}."
            raise BadInput(Fault(told, "invalid", parameter="format"))
        media_type: str = request.accepted_renderer.media_type
        content = rendered(media_type)
        etag = f'"{sha256(content).hexdigest()[:20]}"'

        @condition(etag_func=lambda _: etag)
        def answer(_: object) -> HttpResponse:
            return HttpResponse(content, content_type=f"{media_type}; charset=utf-8")

        response: HttpResponse = answer(request._request)  # noqa: SLF001 - Django's
        response["Cache-Control"] = f"public, max-age={MAX_AGE}"
        patch_vary_headers(response, ["Accept"])
        return response
