from django.apps import AppConfig


class ArticlesConfig(AppConfig):
    name = "apps.articles"

    def ready(self) -> None:
        from apps.articles.models import Article  # noqa: PLC0415 - they need the apps
        from apps.users.models import User  # noqa: PLC0415
        from dovetail.cache.computed import invalidate_with  # noqa: PLC0415

        shown = ["display_name", "email", "avatar", "avatar_small"]  # on the cards of articles
        invalidate_with(User, Article.refreshes, fields=shown)
