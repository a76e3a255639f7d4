from django.urls import path

from apps.articles.views import articles, comments, imports

app_name = "articles"
urlpatterns = [
    path("", articles.ArticleListView.as_view(), name="list"),
    path("dashboard/", articles.DashboardView.as_view(), name="dashboard"),
    path("new/", articles.ArticleCreateView.as_view(), name="create"),
    path("mine/", articles.MyArticlesView.as_view(), name="mine"),
    path("trash/", articles.TrashView.as_view(), name="trash"),
    path("trash/<uuid:pk>/restoration/", articles.RestorationView.as_view(), name="restoration"),
    path("export/", imports.ArticleExportView.as_view(), name="export"),
    path("imports/", imports.ImportCreateView.as_view(), name="imports"),
    path("imports/<uuid:pk>/", imports.ImportView.as_view(), name="import"),
    path("imports/<uuid:pk>/start/", imports.ImportStartView.as_view(), name="import_start"),
    path("imports/<uuid:pk>/cancel/", imports.ImportCancelView.as_view(), name="import_cancel"),
    path("imports/<uuid:pk>/errors/", imports.ImportErrorsView.as_view(), name="import_errors"),
    path("<str:slug>/", articles.ArticleDetailView.as_view(), name="detail"),
    path("<str:slug>/edit/", articles.ArticleUpdateView.as_view(), name="update"),
    path("<str:slug>/publication/", articles.PublicationView.as_view(), name="publication"),
    path("<str:slug>/unpublication/", articles.UnpublicationView.as_view(), name="unpublication"),
    path("<str:slug>/deletion/", articles.DeletionView.as_view(), name="deletion"),
    path("<str:slug>/comments/", comments.CommentsView.as_view(), name="comments"),
    path("<str:slug>/comments/<uuid:pk>/", comments.CommentView.as_view(), name="comment"),
    path(
        "<str:slug>/comments/<uuid:pk>/edit/",
        comments.CommentUpdateView.as_view(),
        name="comment_update",
    ),
    path(
        "<str:slug>/comments/<uuid:pk>/deletion/",
        comments.CommentDeletionView.as_view(),
        name="comment_deletion",
    ),
]
