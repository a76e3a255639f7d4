"""Factories for the objects that tests need. Tests set every field that matters to them."""

import itertools
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils import timezone

from apps.articles.models import Article, Category, Comment
from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, User

_numbers = itertools.count(1)


def make_user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_numbers)}@example.org", **fields)


def make_member(email: str = "", **fields: Any) -> User:
    """Return a user whose address is confirmed, as signing in with a password requires."""
    user = make_user(email, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def make_token(
    user: User | None = None, scopes: Iterable[str] | None = None, **fields: Any
) -> tuple[PersonalAccessToken, str]:
    """Return an access token's row, and the token. It has all scopes unless some are given."""
    values = {"name": "Script", "expires_at": timezone.now() + timedelta(days=30)} | fields
    scopes = list(settings.API_SCOPES if scopes is None else scopes)
    token, text = access_tokens.generate(user=user or make_user(), scopes=scopes, **values)
    token.save()
    return token, text


def make_article(author: User | None = None, *, published: bool = True, **fields: Any) -> Article:
    values = {"title": "On joints", "body": "Wood holds wood.", "category": Category.DESIGN}
    article = Article(author=author or make_user(), **values | fields)
    article.save()
    if published:
        article.publish()
    return article


def make_comment(
    article: Article, author: User | None = None, body: str = "Well cut.", **fields: Any
) -> Comment:
    comment = Comment(article=article, author=author or make_user(), body=body, **fields)
    comment.save()
    return comment
