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
    help = "Fill the application with people and articles to look at. Safe to run again."

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo has a known password, so it runs only where DEBUG is on.")
        with transaction.atomic():
            people = add_people()
            articles = add_articles(people)
        if options["verbosity"]:
            self.stdout.write(f"{len(articles)} articles added.")
            self.stdout.write(f"Log in as {', '.join(LOGINS)} with the password {PASSWORD}.")


def add_people() -> list[User]:
    """Add those of the demo's people who are missing; return all of them."""
    everybody = (*ACCOUNTS, *AUTHORS)
    password = make_password(PASSWORD)  # made once: it takes half a second on purpose
    User.objects.bulk_create(
        [make_user(person, password) for person in everybody], ignore_conflicts=True
    )
    users = {
        user.email: user
        for user in User.objects.filter(email__in=[person.email for person in everybody])
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
    editors.user_set.add(*(users[person.email] for person in everybody if person.edits))
    return [users[person.email] for person in everybody]


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
    """Add those of the demo's articles that were never there; return what was added."""
    chance = random.Random(SEED)  # noqa: S311 - see apps.articles.demo.articles
    authors = [user for user in people if user.email != LOGINS[0]]
    known = set(Article.all_objects.values_list("slug", flat=True))
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
    added = Article.objects.bulk_create([item for item in articles if item.slug not in known])
    # What is published was begun some days before.
    ids = [article.pk for article in added if article.published_at]
    Article.objects.filter(pk__in=ids).update(
        created_at=F("published_at") - timedelta(days=3), updated_at=F("published_at")
    )
    return added
