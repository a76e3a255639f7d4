from apps.articles.models.article import Article, ArticleQuerySet, Category, Status
from apps.articles.models.comment import Comment, CommentQuerySet
from apps.articles.models.notification import CommentNotification

__all__ = [
    "Article",
    "ArticleQuerySet",
    "Category",
    "Comment",
    "CommentNotification",
    "CommentQuerySet",
    "Status",
]
