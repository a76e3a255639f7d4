"""What readers read is what REST framework's own serializers say."""

from typing import Any

import orjson
import pytest
from pytest_django.fixtures import Settings
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer as PlainRenderer
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.utils.serializer_helpers import ReturnDict

from apps.api.serializers.articles import ArticleSerializer
from apps.api.serializers.people import PersonSerializer
from apps.articles.models import Article
from apps.users.models import User
from dovetail.api.renderers import JSONRenderer
from dovetail.api.serializers import ModelSerializer
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db


class Plain(serializers.ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = "__all__"


class Read(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = "__all__"


def test_every_kind_of_field_is_read_as_usual() -> None:
    article = make_article(make_user(display_name="Ada"))

    usual = PlainRenderer().render(Plain(article).data)

    assert orjson.loads(JSONRenderer().render(Read(article).data)) == orjson.loads(usual)


def test_missing_values_are_null() -> None:
    article = make_article(published=False)
    data: ReturnDict[str, Any] = Read(article).data
    assert data["published_at"] is None
    assert data["cover"] is None


def test_relation_is_read_with_its_own_serializer() -> None:
    class WithAuthor(ModelSerializer[Article]):
        author = PersonSerializer(read_only=True)

        class Meta:
            model = Article
            fields = ["author"]

    ada = make_user(display_name="Ada")
    assert WithAuthor(make_article(ada)).data["author"] == PersonSerializer(ada).data


def test_field_of_the_whole_row_is_asked() -> None:
    class WithLabel(ModelSerializer[User]):
        label = serializers.SerializerMethodField()  # type: ignore[assignment] # Field has one

        class Meta:
            model = User
            fields = ["label"]

        def get_label(self, user: User) -> str:
            return f"{user} here"

    assert WithLabel(make_user(display_name="Ada")).data == {"label": "Ada here"}


def test_relations_are_not_loaded_for_their_keys() -> None:
    make_article()
    article = Article.objects.get()
    article.comment_count = 0  # type: ignore[attr-defined]
    ArticleSerializer(article).data  # noqa: B018
    assert "author" not in article._state.fields_cache


def test_nothing_of_one_request_is_kept_for_the_next(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["a.example", "b.example"]
    ada = make_user(display_name="Ada", avatar="avatars/ada.webp")
    article = make_article(ada, cover="covers/joint.webp")
    article.comment_count = 0  # type: ignore[attr-defined]

    def read(query: str = "", host: str = "a.example") -> Any:
        request = Request(APIRequestFactory().get("/", QUERY_STRING=query, headers={"host": host}))
        return ArticleSerializer(article, context={"request": request}).data

    usual = read()
    expanded = read("expand=author", "b.example")
    chosen = read("fields=title,author")

    assert usual["cover"].startswith("http://a.example/")
    assert usual["author"] == ada.pk
    assert expanded["cover"].startswith("http://b.example/")
    assert expanded["author"]["avatar"].startswith("http://b.example/")
    assert chosen == {"title": article.title, "author": ada.pk}
    assert read() == usual
    assert read("expand=author")["author"]["avatar"].startswith("http://a.example/")
