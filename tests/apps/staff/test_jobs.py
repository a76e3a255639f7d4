"""The page of background work: who may do what, and what it shows."""

from http import HTTPStatus
from typing import Any

import pytest
from celery import shared_task
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from apps.staff.cable_channels import JobsChannel
from apps.staff.views import DISCARD, PAGE_SIZE, RETRY, VIEW, may
from apps.users.models import User
from dovetail.tasks import outbox, status
from dovetail.tasks.models import OutboxEntry, TaskFailure
from dovetail.tasks.status import QueueStatus, RunningTask
from tests.apps.users.conftest import add_totp
from tests.factories import make_user

pytestmark = pytest.mark.django_db

JOBS, NOW = "/staff/jobs/", "/staff/jobs/now/"
ACTIONS = ["/staff/jobs/retrying/", "/staff/jobs/discarding/"]

done: list[str] = []


@shared_task
def note(name: str) -> None:
    done.append(name)


def fail(name: str = "Ada", **values: Any) -> TaskFailure:
    fields = {"task": note.name, "task_id": name, "arguments": f'[["{name}"], {{}}]'}
    fields |= {"error": "ValueError: wrong", "traceback": "Traceback: line 1"}
    return TaskFailure.objects.create(**fields | values)


def make_staff(*permissions: str) -> User:
    user = make_user(is_staff=True)
    add_totp(user)
    names = [permission.partition(".")[2] for permission in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture(autouse=True)
def _second_factors(settings: Settings) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = True
    done.clear()


@pytest.fixture
def staff(client: Client) -> User:
    user = make_staff(VIEW, RETRY, DISCARD)
    client.force_login(user)
    return user


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "queues", lambda: [QueueStatus("bulk", 1234, 2)])
    monkeypatch.setattr(status, "running", lambda: [RunningTask("ship", "1", "celery@a", None)])


@pytest.mark.parametrize("url", [JOBS, NOW, *ACTIONS])
def test_is_hidden_from_others(client: Client, url: str) -> None:
    answer = client.get(url)
    assert answer.headers["Location"].startswith(reverse("account_login"))

    for user in (make_user(), make_staff(), make_staff("articles.view_article")):
        client.force_login(user)
        assert client.get(url).status_code == HTTPStatus.NOT_FOUND
        assert client.post(url).status_code == HTTPStatus.NOT_FOUND


def test_staff_are_asked_for_a_second_factor(client: Client) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))

    answer = client.get(JOBS, follow=True)

    assert answer.request["PATH_INFO"] == reverse("mfa_index")
    assert "Set up two-factor authentication to use this page." in answer.text


@pytest.mark.usefixtures("staff")
def test_failures_are_shown_with_their_tracebacks(client: Client) -> None:
    fail(traceback="<script>alert(1)</script>", error="OSError: <b>")

    page = client.get(JOBS).text

    assert note.name in page
    assert "OSError: &lt;b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Ada" not in page  # the arguments


@pytest.mark.usefixtures("staff")
def test_page_without_failures_says_so(client: Client) -> None:
    assert "Nothing has failed" in client.get(JOBS).text


@pytest.mark.usefixtures("staff")
def test_failure_is_retried(client: Client) -> None:
    other, failure = fail("Ben"), fail("Ada")

    answer = client.post(ACTIONS[0], {"failure": failure.pk}, follow=True)

    assert "1 task started again." in answer.text
    outbox.drain()
    assert done == ["Ada"]
    assert list(TaskFailure.objects.all()) == [other]


@pytest.mark.usefixtures("staff")
def test_failures_are_discarded(client: Client) -> None:
    failures = [fail(str(number)) for number in range(3)]

    answer = client.post(ACTIONS[1], {"failure": [one.pk for one in failures[:2]]}, follow=True)

    assert "2 tasks discarded." in answer.text
    assert list(TaskFailure.objects.all()) == failures[2:]
    assert not OutboxEntry.objects.exists()


@pytest.mark.usefixtures("staff")
def test_failure_without_arguments_cannot_be_retried(client: Client) -> None:
    failure = fail(arguments="")
    assert "Retry" not in client.get(JOBS).text

    answer = client.post(ACTIONS[0], {"failure": failure.pk}, follow=True)

    assert "Its arguments are not known" in answer.text
    assert list(TaskFailure.objects.all()) == [failure]


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("url", ACTIONS)
@pytest.mark.parametrize("pk", ["", "x", "-1", "9" * 18, "9" * 400, "1\0", "²"])
def test_what_names_no_failure_changes_nothing(client: Client, url: str, pk: str) -> None:
    fail()

    answer = client.post(url, {"failure": pk}, follow=True)

    assert "Someone else has done so already." in answer.text
    assert TaskFailure.objects.count() == 1


@pytest.mark.parametrize(("held", "refused"), [(RETRY, ACTIONS[1]), (DISCARD, ACTIONS[0])])
def test_each_action_needs_its_permission(client: Client, held: str, refused: str) -> None:
    client.force_login(make_staff(VIEW, held))
    failure = fail()

    page = client.get(JOBS).text
    answer = client.post(refused, {"failure": failure.pk})

    assert f'formaction="{refused}"' not in page
    assert page.count("formaction=") == 1
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert TaskFailure.objects.exists()


@pytest.mark.parametrize(("held", "url"), [(RETRY, ACTIONS[0]), (DISCARD, ACTIONS[1])])
def test_who_may_not_view_the_page_is_not_sent_there(client: Client, held: str, url: str) -> None:
    client.force_login(make_staff(held))

    answer = client.post(url, {"failure": fail().pk})

    assert answer.headers["Location"] == reverse("home")


@pytest.mark.usefixtures("staff")
def test_long_list_has_pages_of_a_few_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(PAGE_SIZE + 1):
        fail(str(number))

    with django_assert_max_num_queries(9):
        page = client.get(JOBS).text

    assert f"Retry all {PAGE_SIZE} below" in page
    assert "Page 1 of 2" in page
    for page in ("2", "3", "99999"):  # the last one, if there are fewer by now
        assert client.get(f"{JOBS}?page={page}").text.count("<h3") == 1


@pytest.mark.usefixtures("staff", "now")
def test_frame_shows_what_waits_and_runs(client: Client) -> None:
    OutboxEntry.of(note.name, ("Ada",), {}).save()

    frame = client.get(NOW).text

    assert "1,234" in frame
    assert "celery@a" in frame
    assert "1 call waits in the outbox" in " ".join(frame.split())


@pytest.mark.usefixtures("staff")
def test_unavailable_broker_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(status, "queues", refuse)

    answer = client.get(NOW)

    assert answer.status_code == HTTPStatus.OK
    assert "The broker is unavailable" in answer.text


@pytest.mark.parametrize("permission", [VIEW, RETRY])
def test_stream_is_for_those_who_may_view_the_page(permission: str) -> None:
    channel = JobsChannel.__new__(JobsChannel)

    assert channel._may_view(make_staff(permission)) is (permission == VIEW)  # noqa: SLF001


def test_right_ends_with_the_second_factor() -> None:
    user = make_user(is_staff=True, is_superuser=True)

    assert not may(user, VIEW)
