from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.users.tasks import clear_expired_sessions


@pytest.mark.django_db
def test_only_expired_sessions_go() -> None:
    now = timezone.now()
    for key, days in {"old": -1, "new": 1}.items():
        Session.objects.create(session_key=key, expire_date=now + timedelta(days=days))

    clear_expired_sessions.delay()

    assert [session.session_key for session in Session.objects.all()] == ["new"]
