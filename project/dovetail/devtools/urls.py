from django.urls import path

from dovetail.devtools.mail import views as mail
from dovetail.devtools.mailbox import views
from dovetail.devtools.traces import views as traces

app_name = "devtools"

urlpatterns = [
    path("mailbox/", views.mailbox, name="mailbox"),
    path("mailbox/emptying/", views.emptying, name="emptying"),
    path("mailbox/<slug:key>/", views.message, name="message"),
    path("mailbox/<slug:key>/html/", views.message_html, name="message-html"),
    path("traces/", traces.traces, name="traces"),
    path("traces/emptying/", traces.emptying, name="traces-emptying"),
    path("traces/<slug:trace_id>/", traces.trace, name="trace"),
    path("mail/", mail.mail, name="mail"),
    path("mail/<slug:key>/", mail.preview, name="preview"),
    path("mail/<slug:key>/<slug:scheme>/", mail.preview_html, name="preview-html"),
]
