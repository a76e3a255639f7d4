from django.contrib import admin

from apps.articles.models import Article, Comment
from dovetail.models.admin import SoftDeleteAdmin
from dovetail.search.admin import SearchAdmin


@admin.register(Article)
class ArticleAdmin(SearchAdmin[Article], SoftDeleteAdmin[Article]):
    list_display = ["title", "author", "category", "status", "published_at", "deleted_at"]
    list_filter = ["status", "category"]
    list_select_related = ["author"]
    search_fields = ["title", "summary", "body"]
    autocomplete_fields = ["author"]
    readonly_fields = [
        *("slug", "status", "published_at"),
        *("deleted_at", "deleted_by", "created_at", "updated_at"),
    ]


@admin.register(Comment)
class CommentAdmin(SoftDeleteAdmin[Comment]):
    list_display = ["__str__", "author", "article", "created_at", "deleted_at"]
    list_select_related = ["author", "article"]
    search_fields = ["body"]
    autocomplete_fields = ["author", "article"]
    readonly_fields = ["deleted_at", "deleted_by", "created_at", "updated_at"]
