"""Serves static files under ASGI with WhiteNoise, streaming them and without its thread hop.

Own code because WhiteNoise has no plans for ASGI, and its fork ServeStatic serves a file several
times slower.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

from dovetail.http.collected import require_files
from dovetail.http.files import read_chunks


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Adds a content hash to file names, except under assets/.

    Vite has hashed those already, and its chunks import one another by those names: with a second
    hash, the application would load twice.
    """

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        if name.startswith("assets/"):
            return name
        return cast("str", super().hashed_name(name, content, filename))


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        require_files()
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if iscoroutinefunction(self):
            return self._respond(request)
        return cast("HttpResponseBase", super().__call__(request))

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        if self.autorefresh:
            static_file = await sync_to_async(self.find_file)(request.path_info)
        else:
            static_file = self.files.get(request.path_info)
        if static_file is None:
            return await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        response: FileResponse = self.serve(static_file, request)
        response.streaming_content = read_chunks(response.file_to_stream)
        return response
