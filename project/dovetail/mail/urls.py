from django.urls import path

from dovetail.mail import unsubscribe, webhook

app_name = "mail"
urlpatterns = [
    path("events/", webhook.events, name="events"),
    path("unsubscribe/<str:token>/", unsubscribe.unsubscribe, name="unsubscribe"),
]
