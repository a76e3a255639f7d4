"""The site's pages, and two for benchmarks/http.py that do nothing but answer."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from apps.articles.models import Article
from config import urls


def text(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse("Wood holds wood.", content_type="text/plain")


async def titles(request: HttpRequest) -> JsonResponse:
    del request
    rows = Article.objects.order_by("pk").values("pk", "title")[:20]
    return JsonResponse({"articles": [row async for row in rows]})


handler400 = urls.handler400
urlpatterns = [path("text/", text), path("async/", titles), *urls.urlpatterns]
