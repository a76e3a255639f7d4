from django.urls import path

from dovetail.devtools.mailbox import views

app_name = "devtools"

urlpatterns = [
    path("mailbox/", views.mailbox, name="mailbox"),
    path("mailbox/emptying/", views.emptying, name="emptying"),
    path("mailbox/<slug:key>/", views.message, name="message"),
    path("mailbox/<slug:key>/html/", views.message_html, name="message-html"),
]
