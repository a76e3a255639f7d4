"""Samples of the mail about articles, for `/dev/mail/`."""

from django.core.mail import EmailMultiAlternatives

from apps.articles.models import Article, Comment
from apps.articles.models.notification import COMMENTS, EMAIL, email_context
from apps.users.models import User
from dovetail.mail import optional, previews

ADA = User(email="ada@example.org", display_name="Ada Lovelace")
BOB = User(email="bob@example.org", display_name="Bob <Builder> & Sons")
ARTICLE = Article(author=ADA, title="On joints", slug="on-joints")
COMMENT = Comment(
    article=ARTICLE,
    author=BOB,
    body="Well cut!\nWould you show the <pins> before the glue next time?",
)


def new_comment() -> EmailMultiAlternatives:
    return optional.compose(COMMENTS, ADA, EMAIL, email_context(COMMENT), to=ADA.email)


previews.register(EMAIL, new_comment)
