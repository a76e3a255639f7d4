from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.core.views import HomeView
from apps.users.signup import SignupConfirmView
from apps.users.views import SessionsView
from dovetail.http.security_txt import security_txt_urls
from dovetail.media.serving import upload_urls

handler400 = "dovetail.http.refused.bad_request"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", HomeView.as_view(), name="home"),
    path("api/v1/", include("apps.api.urls")),
    path("accounts/sessions/", SessionsView.as_view(), name="usersessions_list"),
    path("accounts/signup/confirm/", SignupConfirmView.as_view(), name="signup_confirm"),
    path("accounts/", include("allauth.urls")),
    path("articles/", include("apps.articles.urls")),
    path("people/", include("apps.users.urls")),
    path("staff/", include("apps.staff.urls")),
    path("admin/", admin.site.urls),
]
if apps.is_installed("dovetail.devtools"):
    urlpatterns.append(path("dev/", include("dovetail.devtools.urls")))
urlpatterns += security_txt_urls()
urlpatterns += upload_urls()
