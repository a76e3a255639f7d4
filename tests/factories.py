"""Factories for the objects that tests need. Tests set every field that matters to them."""

import itertools
from typing import Any

from allauth.account.models import EmailAddress

from apps.articles.models import Article, Category, Comment
from apps.users.models import User

_numbers = itertools.count(1)


def make_user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_numbers)}@example.org", **fields)


def make_member(email: str = "", **fields: Any) -> User:
    """Return a user whose address is confirmed, as signing in with a password requires."""
    user = make_user(email, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def make_article(author: User | None = None, *, published: bool = True, **fields: Any) -> Article:
    values = {"title": "On joints", "body": "Wood holds wood.", "category": Category.DESIGN}
    article = Article(author=author or make_user(), **values | fields)
    article.save()
    if published:
        article.publish()
    return article


def make_comment(article: Article, author: User | None = None, body: str = "Well cut.") -> Comment:
    comment = Comment(article=article, author=author or make_user(), body=body)
    comment.save()
    return comment
