from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from apps.articles.discussion import Comment, Notification  # noqa: F401 - found by Django here
from apps.articles.live import LIST, LiveArticle
from apps.core.models import SoftDeleteQuerySet
from apps.core.models.soft_delete import LiveManager
from apps.core.search import SearchConfig, SearchIndex, SearchQuerySet
from apps.core.turbo.broadcasting import broadcast_refresh_to
from apps.users.models import User

# Paths of apps.articles.urls.
RESERVED_SLUGS = {"by", "dashboard", "mine", "new", "notifications", "trash"}


class Category(models.TextChoices):
    ENGINEERING = "engineering", "Engineering"
    DESIGN = "design", "Design"
    PRODUCT = "product", "Product"
    BUSINESS = "business", "Business"
    CULTURE = "culture", "Culture"


class Status(models.TextChoices):
    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"


class ArticleQuerySet(  # type: ignore[override] # mypy gives every QuerySet an as_manager of its own
    SearchQuerySet["Article"], SoftDeleteQuerySet["Article"]
):
    def published(self) -> Self:
        return self.filter(status=Status.PUBLISHED)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The published ones, and the drafts that this person may edit."""
        if user.has_perm("articles.change_article"):
            return self
        mine = Q(author=user) if user.is_authenticated else Q(pk__in=[])
        return self.filter(Q(status=Status.PUBLISHED) | mine)

    def editable_by(self, user: User | AnonymousUser) -> Self:
        if user.has_perm("articles.change_article"):
            return self
        return self.filter(author=user) if user.is_authenticated else self.none()

    def for_cards(self) -> Self:
        """With what a card shows, and without the long text it does not."""
        return self.select_related("author").defer("body")

    def newest_first(self) -> Self:
        return self.order_by(F("published_at").desc(nulls_first=True), "-id")


class Article(LiveArticle):
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="articles"
    )
    title = models.CharField(max_length=140)
    slug = models.SlugField(max_length=160, allow_unicode=True, editable=False)
    summary = models.CharField(
        max_length=300, blank=True, help_text="One or two sentences, shown in lists."
    )
    body = models.TextField(help_text="Plain text; an empty line starts a new paragraph.")
    category = models.CharField(max_length=20, choices=Category, default=Category.ENGINEERING)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    cover = models.ImageField(
        upload_to="covers/", blank=True, help_text="JPEG, PNG, WebP or GIF, up to 5 MB."
    )

    # mypy knows the managers of the abstract model as class variables of another type.
    objects = LiveManager.from_queryset(ArticleQuerySet)()  # type: ignore[misc,assignment]
    all_objects = models.Manager.from_queryset(ArticleQuerySet)()  # type: ignore[misc,assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=Q(deleted_at__isnull=True), name="article_slug_is_unique"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.DRAFT) | Q(published_at__isnull=False),
                name="article_published_has_a_time",
            ),
        ]
        indexes = [
            models.Index(
                F("published_at").desc(nulls_first=True),
                F("id").desc(),
                condition=Q(deleted_at__isnull=True, status=Status.PUBLISHED),
                name="article_newest",
            ),
            SearchIndex(
                SearchConfig({"title": 3, "summary": 2, "body": 1}, autocomplete=["title"]),
                columns=[
                    *("author", "category", "status"),
                    *("published_at", "created_at", "deleted_at"),
                ],
                name="article_search",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("articles:detail", args=[self.slug])

    @property
    def is_published(self) -> bool:
        return self.status == Status.PUBLISHED

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            self.slug = self._free_slug()
        super().save(*args, **kwargs)

    def can_be_edited_by(self, user: User | AnonymousUser) -> bool:
        return user.pk == self.author_id or user.has_perm("articles.change_article")

    def publish(self) -> None:
        """Show the article to everybody; its first publication keeps its time."""
        self.status = Status.PUBLISHED
        self.published_at = self.published_at or timezone.now()
        self.save(update_fields=["status", "published_at", "updated_at"])

    def withdraw(self) -> None:
        """Make the article a draft again, seen by its author alone."""
        self.status = Status.DRAFT
        self.save(update_fields=["status", "updated_at"])
        broadcast_refresh_to(LIST)  # which it has left

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        result = super().delete(using, keep_parents)
        Notification.broadcast_count(self.author)
        return result

    def restore(self) -> int:
        """Bring the article back; when its address is taken meanwhile, it gets a free one."""
        slug = self._free_slug(self.slug)
        if self.is_deleted and slug != self.slug:
            self.slug = slug
            self.save(update_fields=["slug", "updated_at"])
        restored = super().restore()
        Notification.broadcast_count(self.author)
        return restored

    def _free_slug(self, wanted: str = "") -> str:
        base = wanted or slugify(self.title, allow_unicode=True)[:140].strip("-") or "article"
        rivals = Article.objects.exclude(pk=self.pk).filter(slug__startswith=base)
        taken = RESERVED_SLUGS | set(rivals.values_list("slug", flat=True))
        if base not in taken:
            return base
        return next(
            slug for number in range(2, len(taken) + 3) if (slug := f"{base}-{number}") not in taken
        )
