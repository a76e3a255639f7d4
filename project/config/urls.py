from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.core.views import HomeView
from apps.users.signup import SignupConfirmView
from apps.users.views import SessionsView
from dovetail.http.csp_reports import csp_reports
from dovetail.http.security_txt import security_txt_urls
from dovetail.media.serving import upload_urls

handler400 = "dovetail.http.refused.bad_request"
handler429 = "dovetail.http.limits.too_many_requests"  # allauth's
urlpatterns: list[URLPattern | URLResolver] = [
    path("", HomeView.as_view(), name="home"),
    path("api/v1/", include("apps.api.urls")),
    path("accounts/sessions/", SessionsView.as_view(), name="usersessions_list"),
    path("accounts/signup/confirm/", SignupConfirmView.as_view(), name="signup_confirm"),
    path("accounts/", include("allauth.urls")),
    path("articles/", include("apps.articles.urls")),
    path("people/", include("apps.users.urls")),
    path("mail/", include("dovetail.mail.urls")),
    path("staff/", include("apps.staff.urls")),
    path("uploads/", include("dovetail.media.urls")),
    path("csp-reports/", csp_reports, name="csp_reports"),
    path(settings.ADMIN_PATH, admin.site.urls),
]
if apps.is_installed("dovetail.devtools"):
    urlpatterns.append(path("dev/", include("dovetail.devtools.urls")))
urlpatterns += security_txt_urls()
urlpatterns += upload_urls()
