"""Short ways to make what tests need, with every field that matters given by the test."""

import itertools
from typing import Any

from apps.articles.models import Article, Category
from apps.users.models import User

_numbers = itertools.count(1)


def make_user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_numbers)}@example.org", **fields)


def make_article(author: User | None = None, *, published: bool = True, **fields: Any) -> Article:
    values = {"title": "On joints", "body": "Wood holds wood.", "category": Category.DESIGN}
    article = Article(author=author or make_user(), **values | fields)
    article.save()
    if published:
        article.publish()
    return article
