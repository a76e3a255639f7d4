"""The mail about a new comment: who gets it, how often, and how they turn it off."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMultiAlternatives
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.articles.models import Article, Comment, CommentNotification
from apps.articles.models.notification import COMMENTS, EMAIL, email_context
from apps.articles.tasks import email_comment
from apps.users.models import Notification, User
from dovetail.mail import optional
from dovetail.mail.models import OptOut, Suppression
from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.tasks import outbox
from tests.factories import make_article, make_comment, make_member, make_user

pytestmark = pytest.mark.django_db

Post = Callable[..., Comment]
NOTIFICATIONS: Any = CommentNotification.objects  # of which mypy knows only the fields of its base


@pytest.fixture
def author() -> User:
    return make_member("ada@example.org", display_name="Ada")


@pytest.fixture
def post(article: Article) -> Post:
    """Return a function that writes a comment, and does what follows the commit."""

    def post(by: User | None = None, to: Article = article, body: str = "Well cut.") -> Comment:
        comment = make_comment(to, by or make_user(display_name="Bob"), body)
        assert outbox.drain() or comment.author == to.author
        return comment

    return post


def link(message: EmailMultiAlternatives) -> str:
    """Return the path of the link that turns the mail off."""
    header = str(message.extra_headers["List-Unsubscribe"])
    found = re.fullmatch(r"<http://localhost:8000(/mail/unsubscribe/[^>]+/)>", header)
    assert found
    return found[1]


def test_author_gets_a_mail(post: Post, mailoutbox: list[EmailMultiAlternatives]) -> None:
    post(body="Well cut!\n<b>Really</b> & truly\n\nhttp://localhost:8000/evil/")

    (message,) = mailoutbox
    assert message.to == ["ada@example.org"]
    assert message.subject == "Bob commented on “On joints”"
    assert "> Well cut!\n> <b>Really</b> & truly\n> \n> http://localhost" in message.body
    page = str(message.alternatives[0][0])
    assert "&lt;b&gt;Really&lt;/b&gt; &amp; truly" in page
    assert 'href="http://localhost:8000/articles/on-joints/"' in page
    assert 'href="http://localhost:8000/evil/"' not in page
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link(message) in page
    assert link(message) in message.body


def test_names_write_no_paragraphs(
    post: Post, article: Article, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    """Kind: what someone calls themselves is the text of a mail to others."""
    name = "Bank\n\nYour account is locked:\n\nhttp://localhost:8000/x\u202e\u2029"
    Article.objects.filter(pk=article.pk).update(title="On\r\n\r\njoints")

    post(make_user(display_name=name), Article.objects.get(pk=article.pk))

    (message,) = mailoutbox
    start = "Bank Your account is locked: http://localhost:8000/x commented on"
    assert message.body.startswith(f"{start} your article “On joints”:\n")
    assert message.subject.startswith(start)


@pytest.mark.parametrize("stop", ["turned off", "complained"])
def test_mail_that_waits_is_not_sent_after_all(
    article: Article, author: User, mailoutbox: list[EmailMultiAlternatives], stop: str
) -> None:
    """Kind: a decision that counts for the next mail only, while this one is tried again."""
    comment = make_comment(article, make_user())
    message = optional.compose(
        COMMENTS, author, EMAIL, email_context(comment), to="ada@example.org"
    )
    payload = json.loads(json.dumps(as_payload(message)))
    if stop == "turned off":
        OptOut.objects.turn_off(author.pk, COMMENTS.name)
    else:
        reason = Suppression.Reason.COMPLAINT
        Suppression.objects.record("ada@example.org", reason, at=timezone.now())

    deliver_mail.apply((payload,), throw=True)

    assert not mailoutbox
    OptOut.objects.all().delete()
    Suppression.objects.all().delete()
    deliver_mail.apply((payload,), throw=True)
    assert [sent.to for sent in mailoutbox] == [["ada@example.org"]]


def test_one_does_not_mail_oneself(
    post: Post, author: User, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    post(author)

    assert mailoutbox == []


@pytest.mark.parametrize("case", ["unverified", "other address", "banned", "off", "suppressed"])
def test_who_should_get_none_gets_none(
    post: Post, author: User, mailoutbox: list[EmailMultiAlternatives], case: str
) -> None:
    if case == "unverified":
        EmailAddress.objects.filter(user=author).update(verified=False)
    elif case == "other address":
        EmailAddress.objects.filter(user=author).update(email="other@example.org")
    elif case == "banned":
        User.objects.filter(pk=author.pk).update(is_active=False)
    elif case == "off":
        OptOut.objects.turn_off(author.pk, "comments")
    else:
        reason = Suppression.Reason.BOUNCE
        Suppression.objects.record("ADA@example.org", reason, at=timezone.now())

    post()

    assert mailoutbox == []
    assert CommentNotification.objects.count() == 1  # in the navigation, it still is


def test_what_an_account_needs_is_sent_wherever_it_bounces(
    author: User, client: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    Suppression.objects.record(author.email, Suppression.Reason.COMPLAINT, at=timezone.now())
    OptOut.objects.turn_off(author.pk, "comments")

    client.post("/accounts/password/reset/", {"email": author.email})
    outbox.drain()

    assert [message.to for message in mailoutbox] == [[author.email]]


@pytest.mark.django_db(transaction=True)
def test_two_comments_at_the_same_time_send_one_mail(
    article: Article, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    # As if their mails had not been due yet.
    make_comment(article)
    make_comment(article)
    mailoutbox.clear()
    first, second = NOTIFICATIONS.order_by("pk")
    NOTIFICATIONS.update(emailed_at=None)

    def send() -> None:
        try:
            second.send_email()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first.send_email()
            waiting = pool.submit(send)
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
        waiting.result(30)

    assert len(mailoutbox) == 1


def test_many_comments_become_one_mail_until_they_are_read(
    post: Post, author: User, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    for _ in range(3):
        post()
    assert len(mailoutbox) == 1
    post(to=make_article(author, title="Another"))
    assert len(mailoutbox) == 2

    Notification.objects.for_person(author).mark_read()
    post()
    assert len(mailoutbox) == 2  # the last one was less than an hour ago

    sent = NOTIFICATIONS.filter(emailed_at__isnull=False)
    sent.update(emailed_at=timezone.now() - timedelta(hours=2))
    post()
    post()
    assert len(mailoutbox) == 3


def test_deleted_comments_send_no_more_mail_than_others(
    post: Post, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    """Kind: someone who writes and deletes a comment again and again."""
    for _ in range(3):
        post().delete()

    assert len(mailoutbox) == 1


@pytest.mark.parametrize("case", ["read", "comment deleted", "article deleted", "twice"])
def test_mail_that_comes_late_looks_first(
    article: Article,
    author: User,
    mailoutbox: list[EmailMultiAlternatives],
    case: str,
) -> None:
    comment = make_comment(article)
    notification = NOTIFICATIONS.get()
    if case == "read":
        Notification.objects.for_person(author).mark_read()
    elif case == "comment deleted":
        comment.delete()
    elif case == "article deleted":
        article.delete()
    for _ in range(2):
        email_comment(str(notification.pk))
    email_comment("01890000-0000-7000-8000-000000000000")
    outbox.drain()

    assert len(mailoutbox) == (1 if case == "twice" else 0)


def test_one_click_turns_it_off(
    post: Post, author: User, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    post()
    url = link(mailoutbox[0])
    stranger = Client(enforce_csrf_checks=True)

    for answer in [stranger.get(url), stranger.head(url)]:  # as scanners of mail do
        assert answer.status_code == 200
    assert not OptOut.objects.exists()
    for _ in range(2):
        answer = stranger.post(url, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "unsubscribed" in answer.text
        assert answer.cookies == {}
    assert OptOut.objects.get().user == author
    post(to=make_article(author))
    assert len(mailoutbox) == 1


def test_link_outlives_the_key_that_signed_it(
    post: Post, mailoutbox: list[EmailMultiAlternatives], settings: Settings, client: Client
) -> None:
    post()
    url = link(mailoutbox[0])
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [settings.SECRET_KEY]
    assert client.post(url).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.post(url).status_code == 404


@pytest.mark.parametrize("change", ["x", "%00", "x" * 3000, ":"])
def test_forged_link_does_nothing(
    post: Post, mailoutbox: list[EmailMultiAlternatives], client: Client, change: str
) -> None:
    post()
    answer = client.post(f"{link(mailoutbox[0])[:-2]}{change}/")

    assert answer.status_code == 404
    assert not OptOut.objects.exists()


def test_link_of_someone_who_is_gone_is_answered_likewise(
    post: Post, author: User, mailoutbox: list[EmailMultiAlternatives], client: Client
) -> None:
    post()
    User.objects.filter(pk=author.pk).delete()

    assert client.post(link(mailoutbox[0])).status_code == 200


def test_unsubscribing_is_limited(
    post: Post, mailoutbox: list[EmailMultiAlternatives], client: Client
) -> None:
    post()
    answers = [client.post(link(mailoutbox[0])).status_code for _ in range(21)]

    assert answers == [200] * 20 + [429]


def test_settings_turn_it_off_and_on(
    post: Post, author: User, client: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    client.force_login(author)
    box = r'<input type="checkbox"[^>]* value="comments"[^>]*?( checked)?>'

    def is_on() -> bool:
        found = re.search(box, client.get("/people/me/mail/").text)
        assert found
        return bool(found[1])

    assert is_on()
    for _ in range(2):
        client.post("/people/me/mail/", {"topic": ["unknown"]})
    assert not is_on()
    post()
    assert mailoutbox == []
    client.post("/people/me/mail/", {"topic": ["comments", "comments"]})
    assert is_on()
    post()
    assert len(mailoutbox) == 1


def test_bounces_are_shown_with_the_remedy(author: User, client: Client) -> None:
    client.force_login(author)
    Suppression.objects.record(author.email, Suppression.Reason.BOUNCE, at=timezone.now())

    for url in ("/people/me/mail/", "/accounts/email/"):
        page = client.get(url).text
        assert "Email to ada@example.org comes back" in page
    client.post("/people/me/mail/resumption/")
    assert not Suppression.objects.exists()
    assert "comes back" not in client.get("/people/me/mail/").text


def test_only_a_confirmed_address_gets_mail_again(author: User, client: Client) -> None:
    """Kind: someone who types another person's address, and undoes their complaint."""
    client.force_login(author)
    EmailAddress.objects.filter(user=author).update(verified=False)
    Suppression.objects.record(author.email, Suppression.Reason.COMPLAINT, at=timezone.now())

    client.post("/people/me/mail/resumption/")

    assert Suppression.objects.exists()
