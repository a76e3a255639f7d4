from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.core.tasks import clear_expired_sessions
from apps.users.tasks import delete_ended_user_sessions
from tests.factories import make_user


@pytest.mark.django_db
def test_only_expired_sessions_are_deleted() -> None:
    user, now = make_user(), timezone.now()
    for key, days in {"old": -1, "new": 1}.items():
        Session.objects.create(session_key=key, expire_date=now + timedelta(days=days))
        UserSession.objects.create(user=user, session_key=key, ip="::1")

    clear_expired_sessions.delay()
    delete_ended_user_sessions.delay()

    for model in (Session, UserSession):
        assert [session.session_key for session in model.objects.all()] == ["new"]
