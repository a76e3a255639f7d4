from collections.abc import Collection
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models, router
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import slugify

from apps.core.models import SearchManager, SearchQuerySet, SoftDeleteModel
from apps.users.models import User
from dovetail.cable.streams import Streamable
from dovetail.http.reverse import reverse
from dovetail.lines import validate_line
from dovetail.media.fields import ImageField
from dovetail.media.names import RandomName
from dovetail.media.variants import VariantsField
from dovetail.models.conflicts import retry_on_conflict
from dovetail.models.prepared import PreparedRow
from dovetail.models.signals import rows_changed
from dovetail.search import SearchConfig, SearchIndex
from dovetail.turbo.broadcasting import broadcast_refresh_to
from dovetail.turbo.models import BroadcastsRefreshes

# The first path segments of the other URLs in apps.articles.urls.
RESERVED_SLUGS = {"dashboard", "export", "imports", "mine", "new", "trash"}
UNIQUE_SLUG = "article_slug_is_unique"
NUMBERED_ATTEMPTS = 3  # after so many conflicts, a slug ends in random letters


class Category(models.TextChoices):
    ENGINEERING = "engineering", "Engineering"
    DESIGN = "design", "Design"
    PRODUCT = "product", "Product"
    BUSINESS = "business", "Business"
    CULTURE = "culture", "Culture"


class Status(models.TextChoices):
    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"


class ArticleQuerySet(SearchQuerySet["Article"]):
    def published(self) -> Self:
        return self.filter(status=Status.PUBLISHED)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Limit to published articles and the drafts that this user may edit."""
        if user.has_perm("articles.change_article"):
            return self
        mine = Q(author=user) if user.is_authenticated else Q(pk__in=[])
        return self.filter(Q(status=Status.PUBLISHED) | mine)

    def editable_by(self, user: User | AnonymousUser) -> Self:
        if user.has_perm("articles.change_article"):
            return self
        return self.filter(author=user) if user.is_authenticated else self.none()

    def deletable_by(self, user: User | AnonymousUser) -> Self:
        """Limit to the user's own articles, or those they see if they may delete all."""
        if user.has_perm("articles.delete_article"):
            return self.visible_to(user)
        return self.filter(author=user) if user.is_authenticated else self.none()

    def in_trash_of(self, user: User | AnonymousUser) -> Self:
        """Limit to the deleted articles that this person wrote or deleted."""
        if not user.is_authenticated:
            return self.none()
        return self.deleted().filter(Q(author=user) | Q(deleted_by=user))

    def for_cards(self) -> Self:
        """Load only what a card shows: the author, but not the body."""
        return self.select_related("author").defer("body")

    def count_for_each_author(self) -> Coalesce:
        """Return the number of these articles, as an annotation of people."""
        of_author = self.filter(author=OuterRef("pk")).order_by().values("author")
        return Coalesce(Subquery(of_author.annotate(number=Count("pk")).values("number")), 0)

    def newest_first(self) -> Self:
        return self.order_by(F("published_at").desc(nulls_first=True), "-id")


class Article(BroadcastsRefreshes, SoftDeleteModel):
    """An article, which starts as a draft. Only its author and editors see a draft."""

    refreshes = "articles"  # the stream of the public list
    owner_field = "author"
    _was_published = False  # ever, as far as this object knows

    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="articles"
    )
    title = models.CharField(max_length=140, validators=[validate_line])
    slug = models.SlugField(max_length=160, allow_unicode=True, editable=False)
    summary = models.CharField(
        max_length=300, blank=True, help_text="One or two sentences, shown in lists."
    )
    body = models.TextField(
        max_length=100_000, help_text="Plain text; an empty line starts a new paragraph."
    )
    category = models.CharField(max_length=20, choices=Category, default=Category.ENGINEERING)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    cover = ImageField(
        upload_to=RandomName("covers"), blank=True, help_text="JPEG, PNG, WebP or GIF, up to 5 MB."
    )
    cover_variants = VariantsField("cover", {"thumbnail": 400, "card": 800, "full": 1600})

    objects = SearchManager.from_queryset(ArticleQuerySet)()
    all_objects = SearchManager.from_queryset(ArticleQuerySet)(with_deleted=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=Q(deleted_at__isnull=True), name=UNIQUE_SLUG
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
            # dovetail.media looks for the rows of a file.
            models.Index(fields=["cover"], name="article_cover"),
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
        return reverse("articles:detail", self.slug)

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        article = super().from_db(*args, **kwargs)
        # Also if that is not loaded; the attribute itself would ask the database for it.
        article._was_published = article.__dict__.get("published_at", 0) is not None  # noqa: SLF001 - its own
        return article

    @property
    def is_published(self) -> bool:
        return self.status == Status.PUBLISHED

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the article. A new one gets a slug, even if another request takes the same title."""
        if self.slug:
            super().save(*args, **kwargs)
            self._note_publication()
            return

        def save_with_slug(attempt: int) -> None:
            self.slug = self._free_slug(attempt=attempt)
            super(Article, self).save(*args, **kwargs)

        using = kwargs.get("using") or router.db_for_write(Article, instance=self)
        try:
            retry_on_conflict(save_with_slug, using=using, constraint=UNIQUE_SLUG)
        except Exception:
            self.slug = ""  # was not saved
            raise
        self._note_publication()

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self._note_publication()
        super().refresh_from_db(*args, **kwargs)
        self._note_publication()

    def _note_publication(self) -> None:
        if self.__dict__.get("published_at") is not None:
            self._was_published = True

    @classmethod
    def with_slug(cls, slug: str) -> "Article | None":
        """Return an article and its author, or None."""
        return BY_SLUG.first(slug)

    def can_be_seen_by(self, user: User | AnonymousUser) -> bool:
        return self.is_published or self.can_be_edited_by(user)

    def can_be_edited_by(self, user: User | AnonymousUser) -> bool:
        return user.pk == self.author_id or user.has_perm("articles.change_article")

    def can_be_deleted_by(self, user: User | AnonymousUser) -> bool:
        return user.pk == self.author_id or user.has_perm("articles.delete_article")

    @property
    def is_hidden(self) -> bool:
        return self.is_deleted or not self.is_published

    def refreshed_streams(self) -> list[Streamable]:
        # An article that was never published has not been on the public list. One that was may have
        # lost its time by this change; for changes in bulk, `refresh_list` sees to that.
        is_listed = self._was_published or self.__dict__.get("published_at") is not None
        return [self, self.refreshes] if is_listed else [self]

    def publish(self) -> None:
        """Make the article public. Publishing it again keeps its first publication time."""
        self.status = Status.PUBLISHED
        self.published_at = self.published_at or timezone.now()
        self.save(update_fields=["status", "published_at", "updated_at"])

    def unpublish(self) -> None:
        """Turn the article back into a draft."""
        self.status = Status.DRAFT
        self.save(update_fields=["status", "updated_at"])

    def resolve_conflicts(self, attempt: int) -> list[str]:
        """Choose another slug for the restored article if another article has taken its own."""
        own = Article.all_objects.values_list("slug", flat=True).get(pk=self.pk)
        self.slug = self._free_slug(own, attempt=attempt)
        return ["slug"] if self.slug != own else []

    def _free_slug(self, wanted: str = "", *, attempt: int = 0) -> str:
        """Return the wanted slug, or one made from the title; numbered if it is taken.

        Args:
            wanted: the slug to keep if possible.
            attempt: how many earlier choices were taken before they could be saved.
        """
        base = wanted or slugify(self.title, allow_unicode=True)[:140].strip("-") or "article"
        if attempt >= NUMBERED_ATTEMPTS:
            return f"{base}-{get_random_string(8).lower()}"
        rivals = Article.objects.exclude(pk=self.pk).filter(slug__startswith=base)
        taken = RESERVED_SLUGS | set(rivals.values_list("slug", flat=True))
        if base not in taken:
            return base
        return next(
            slug for number in range(2, len(taken) + 3) if (slug := f"{base}-{number}") not in taken
        )


BY_SLUG = PreparedRow(lambda slug: Article.objects.filter(slug=slug).select_related("author"), str)


def refresh_list(sender: type[Article], *, fields: Collection[str], **_: Any) -> None:
    """Refresh the public list when a change in bulk may have taken articles off it."""
    if "published_at" in fields:
        broadcast_refresh_to(sender.refreshes)


rows_changed.connect(refresh_list, sender=Article)
