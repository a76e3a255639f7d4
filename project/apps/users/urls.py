from django.urls import path

from apps.users import views

app_name = "users"
urlpatterns = [
    path("me/edit/", views.ProfileUpdateView.as_view(), name="edit"),
]
