from django.urls import path

from apps.users import mail_views, token_views, views

app_name = "users"
urlpatterns = [
    path("<uuid:pk>/", views.ProfileView.as_view(), name="profile"),
    path("me/edit/", views.ProfileUpdateView.as_view(), name="edit"),
    path("me/sessions/<int:pk>/end/", views.SessionEndView.as_view(), name="session_end"),
    path("me/activity/", views.ActivityView.as_view(), name="activity"),
    path("me/tokens/", token_views.AccessTokensView.as_view(), name="tokens"),
    path("me/tokens/new/", token_views.AccessTokenCreateView.as_view(), name="token_create"),
    path(
        "me/tokens/<uuid:pk>/revocation/",
        token_views.AccessTokenRevocationView.as_view(),
        name="token_revocation",
    ),
    path("me/mail/", mail_views.MailView.as_view(), name="mail"),
    path("me/mail/resumption/", mail_views.MailResumptionView.as_view(), name="mail_resumption"),
    path("me/data/", views.DataView.as_view(), name="data"),
    path("me/data/exports/", views.ExportCreateView.as_view(), name="export_create"),
    path("me/data/exports/<uuid:pk>/", views.ExportView.as_view(), name="export"),
    path("me/deletion/", views.AccountDeletionView.as_view(), name="deletion"),
    path("me/notifications/", views.NotificationsView.as_view(), name="notifications"),
    path(
        "me/notifications/reading/",
        views.NotificationsReadingView.as_view(),
        name="notifications_reading",
    ),
]
