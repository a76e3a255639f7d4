"""Paths that cannot name anything, because the database cannot store their text."""

from django.http import Http404, HttpRequest

from dovetail.http.middleware import Middleware
from dovetail.storable import is_storable


class PathMiddleware(Middleware):
    """Responds with 404 to paths that contain NUL. Place it last, so that the page has a user.

    Views then need not check the parts of a path that they look up.
    """

    def process_request(self, request: HttpRequest) -> None:
        if not is_storable(request.path_info):
            raise Http404("The path contains a character that no name can contain.")
