from apps.articles.models.article import Article, ArticleQuerySet, Category, Status
from apps.articles.models.comment import Comment, CommentQuerySet
from apps.articles.models.imports import ArticleImport, ImportState
from apps.articles.models.notification import CommentNotification

__all__ = [
    "Article",
    "ArticleImport",
    "ArticleQuerySet",
    "Category",
    "Comment",
    "CommentNotification",
    "CommentQuerySet",
    "ImportState",
    "Status",
]
