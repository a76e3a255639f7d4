"""Included by allauth under /accounts/, with allauth's URL names."""

from django.urls import include, path

from apps.users.sso import reauthentication, views

urlpatterns = [
    path(
        "oidc/<slug:provider_id>/",
        include(
            [
                path("login/", views.login, name="openid_connect_login"),
                path("login/callback/", views.callback, name="openid_connect_callback"),
                path(
                    "reauthenticate/",
                    reauthentication.reauthenticate,
                    name="openid_connect_reauthenticate",
                ),
                path("logout/", views.logout, name="openid_connect_logout"),
            ]
        ),
    ),
]
