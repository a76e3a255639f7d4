"""The page that turns a topic of mail off for whoever has the link in a mail.

A GET only asks, since scanners of mail and previews in browsers follow links. A POST needs neither
a cookie nor a token against forgery, because mail programs send it (RFC 8058), and may come again.
"""

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dovetail.cache.windows import fits
from dovetail.http.limits import too_many_requests
from dovetail.mail import optional
from dovetail.mail.models import OptOut

MOST = 20  # times a minute for one person


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    found = optional.read(token)
    if found is None:
        return render(request, "mail/unsubscribe_invalid.html", status=404)
    pk, topic = found
    if request.method == "POST":
        if not fits(f"mail-unsubscribe:{pk}", MOST, seconds=60):
            return too_many_requests(request)
        if get_user_model()._default_manager.filter(pk=pk).exists():
            OptOut.objects.turn_off(pk, topic.name)
    context = {"topic": topic, "is_done": request.method == "POST"}
    return render(request, "mail/unsubscribe.html", context)
