import pytest
from django.test import Client

from apps.articles.models import Article
from apps.users.models import User
from tests.factories import make_article, make_user


@pytest.fixture
def author() -> User:
    return make_user(display_name="Ada")


@pytest.fixture
def reader() -> User:
    return make_user(display_name="Bob")


@pytest.fixture
def article(author: User) -> Article:
    return make_article(author)


@pytest.fixture
def author_client(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


@pytest.fixture
def reader_client(client: Client, reader: User) -> Client:
    client.force_login(reader)
    return client
