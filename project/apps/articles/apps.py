from celery.signals import worker_ready
from django.apps import AppConfig
from django.db.models.signals import post_save


class ArticlesConfig(AppConfig):
    name = "apps.articles"

    def ready(self) -> None:
        from apps.articles import tasks  # noqa: PLC0415 - they need the apps
        from apps.articles.models import Article, CommentNotification  # noqa: PLC0415
        from apps.users.models import User  # noqa: PLC0415
        from dovetail.cache.computed import invalidate_with  # noqa: PLC0415

        worker_ready.connect(tasks.resume_at_start)
        # On cards, and below articles.
        shown = ["display_name", "email", "avatar", "avatar_variants", "biography"]
        invalidate_with(User, Article.refreshes, fields=shown)
        post_save.connect(tasks.queue_email, sender=CommentNotification)
