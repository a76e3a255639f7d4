from django.urls import path

from apps.articles import discussion_views, views

app_name = "articles"
urlpatterns = [
    path("", views.ArticleListView.as_view(), name="list"),
    path("dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("new/", views.ArticleCreateView.as_view(), name="create"),
    path("mine/", views.MyArticlesView.as_view(), name="mine"),
    path("by/<uuid:pk>/", views.AuthorView.as_view(), name="author"),
    path("trash/", views.TrashView.as_view(), name="trash"),
    path("trash/<uuid:pk>/restoration/", views.RestorationView.as_view(), name="restoration"),
    path("notifications/", discussion_views.NotificationsView.as_view(), name="notifications"),
    path(
        "notifications/reading/",
        discussion_views.NotificationsReadingView.as_view(),
        name="notifications_reading",
    ),
    path("<str:slug>/", views.ArticleDetailView.as_view(), name="detail"),
    path("<str:slug>/edit/", views.ArticleUpdateView.as_view(), name="update"),
    path("<str:slug>/publication/", views.PublicationView.as_view(), name="publication"),
    path("<str:slug>/withdrawal/", views.WithdrawalView.as_view(), name="withdrawal"),
    path("<str:slug>/deletion/", views.DeletionView.as_view(), name="deletion"),
    path("<str:slug>/comments/", discussion_views.CommentsView.as_view(), name="comments"),
    path("<str:slug>/comments/<uuid:pk>/", discussion_views.CommentView.as_view(), name="comment"),
    path(
        "<str:slug>/comments/<uuid:pk>/edit/",
        discussion_views.CommentUpdateView.as_view(),
        name="comment_update",
    ),
    path(
        "<str:slug>/comments/<uuid:pk>/deletion/",
        discussion_views.CommentDeletionView.as_view(),
        name="comment_deletion",
    ),
]
