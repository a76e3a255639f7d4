from django.urls import path

from apps.staff import views

app_name = "staff"
urlpatterns = [
    path("jobs/", views.JobsView.as_view(), name="jobs"),
    path("jobs/now/", views.JobsNowView.as_view(), name="jobs_now"),
    path("jobs/retrying/", views.RetryView.as_view(), name="jobs_retry"),
    path("jobs/discarding/", views.DiscardView.as_view(), name="jobs_discard"),
]
