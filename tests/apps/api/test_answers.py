"""What the API answers is what its schema says."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from apps.users.models import DataExport, Notification, User
from tests.factories import make_article, make_comment

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("contract")]

V1 = "/api/v1/"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    generated: dict[str, Any] = generator().get_schema(public=True)
    return generated


def test_answers_are_as_described(
    schema: dict[str, Any], as_author: APIClient, author: User
) -> None:
    """Kind: a null, or a member, that a generated client does not know of."""
    article = make_article(author)
    comment = make_comment(article)
    Notification(recipient=author).save()
    EmailAddress.objects.create(user=author, email=author.email, verified=True, primary=True)
    export = DataExport.objects.create(user=author)
    ids = {
        "articles/{id}/": article.pk,
        "articles/{article_id}/comments/": article.pk,
        "comments/{id}/": comment.pk,
        "users/{id}/": author.pk,
        "users/me/exports/{id}/": export.pk,
    }
    for path in [
        *ids,
        *("articles/", "categories/", "notifications/", "search/articles/", "analytics/articles/"),
        *("users/me/", "users/me/email-addresses/", "users/me/exports/"),
    ]:
        number = str(ids.get(path, ""))
        url = path.replace("{article_id}", number).replace("{id}", number)
        query = {"q": "joints"} if "search" in path else {}
        answer = as_author.get(V1 + url, query).json()

        described = schema["paths"][V1 + path]["get"]["responses"]["200"]["content"]
        validator = Draft202012Validator(
            {**described["application/json"]["schema"], "components": schema["components"]},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]
        assert not errors, path
        if "results" in answer:
            assert answer["results"], path
