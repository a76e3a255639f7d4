import random
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from apps.articles.demo.articles import SEED, write
from apps.articles.demo.people import ACCOUNTS, AUTHORS, LOGINS, PASSWORD, Person
from apps.articles.models import Article, Status
from apps.users.models import User


class Command(BaseCommand):
    help = "Add people and articles to try the application with. Safe to run again."

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "The demo accounts have a public password, so the demo runs only with DEBUG on."
            )
        with transaction.atomic():
            people = add_people()
            articles = add_articles(people)
        if options["verbosity"]:
            self.stdout.write(f"Added {len(articles)} articles.")
            self.stdout.write(f"Sign in as {', '.join(LOGINS)} with the password {PASSWORD}.")


def add_people() -> list[User]:
    """Add the demo's people who are missing, and return all of them."""
    people = (*ACCOUNTS, *AUTHORS)
    password = make_password(PASSWORD)  # once for all: hashing is slow on purpose
    User.objects.bulk_create(
        [make_user(person, password) for person in people], ignore_conflicts=True
    )
    users = {
        user.email: user
        for user in User.objects.filter(email__in=[person.email for person in people])
    }
    EmailAddress.objects.bulk_create(
        [
            EmailAddress(user=user, email=user.email, verified=True, primary=True)
            for user in users.values()
        ],
        ignore_conflicts=True,
    )
    editors, _ = Group.objects.get_or_create(name="Editors")
    editors.permissions.set(Permission.objects.filter(content_type__app_label="articles"))
    editors.user_set.add(*(users[person.email] for person in people if person.is_editor))
    return [users[person.email] for person in people]


def make_user(person: Person, password: str) -> User:
    return User(
        email=person.email,
        password=password,
        display_name=person.name,
        biography=person.biography,
        is_staff=person.is_staff,
        is_superuser=person.is_superuser,
    )


def add_articles(people: list[User]) -> list[Article]:
    """Add the demo's articles that were never added before, and return those added."""
    chance = random.Random(SEED)  # noqa: S311 - see apps.articles.demo.articles
    authors = [user for user in people if user.email != LOGINS[0]]
    taken = set(Article.all_objects.values_list("slug", flat=True))
    articles = [
        Article(
            author=chance.choice(authors),
            title=text.title,
            slug=slugify(text.title),
            summary=text.summary,
            body=text.body,
            category=text.category,
            status=Status.PUBLISHED if text.published_at else Status.DRAFT,
            published_at=text.published_at,
        )
        for text in write(timezone.now())
    ]
    added = Article.objects.bulk_create([item for item in articles if item.slug not in taken])
    # A published article was created a few days before its publication.
    ids = [article.pk for article in added if article.published_at]
    Article.objects.filter(pk__in=ids).update(
        created_at=F("published_at") - timedelta(days=3), updated_at=F("published_at")
    )
    return added
