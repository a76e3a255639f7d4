from django.urls import path

from dovetail.media import upload_views

app_name = "uploads"
urlpatterns = [
    path("", upload_views.create, name="create"),
    path("<uuid:pk>/content/", upload_views.content, name="content"),
    path("<uuid:pk>/completion/", upload_views.complete, name="complete"),
]
