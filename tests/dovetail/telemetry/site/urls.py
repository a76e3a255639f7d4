from django.urls import path

from tests.dovetail.telemetry.site import views

handler404, handler500 = views.missing, views.failed
urlpatterns = [
    path("announce/<str:secret>/", views.announce),
    path("failure/<str:secret>/", views.failure),
    path("hello/<str:secret>/", views.hello),
]
