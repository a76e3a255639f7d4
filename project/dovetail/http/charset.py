"""Forms in an encoding that browsers never use for one."""

import codecs

from django.core.exceptions import BadRequest
from django.http import HttpRequest

from dovetail.http.middleware import Middleware


class CharsetMiddleware(Middleware):
    """Responds with 400 to forms that are not UTF-8, as Django does for those without files.

    Python knows encodings that decode to something else than text, or to text that cannot be
    encoded again. Place it before the CsrfViewMiddleware, which reads the form.
    """

    def process_request(self, request: HttpRequest) -> None:
        if request.content_type != "multipart/form-data" or request.encoding is None:
            return
        if codecs.lookup(request.encoding).name != "utf-8":
            raise BadRequest("Forms must be encoded as UTF-8.")
