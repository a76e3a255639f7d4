from django.apps import apps
from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.core.views import HomeView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", HomeView.as_view(), name="home"),
    path("accounts/", include("allauth.urls")),
    path("articles/", include("apps.articles.urls")),
    path("people/", include("apps.users.urls")),
    path("admin/", admin.site.urls),
]
if apps.is_installed("dovetail.devtools"):
    urlpatterns.append(path("dev/", include("dovetail.devtools.urls")))
urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)  # only with DEBUG
