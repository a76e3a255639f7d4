"""The session engine: a signed-in session and its row in the list of a person's sessions are one.

allauth lists sessions in a table of its own, `UserSession`. This engine is own code because neither
Django nor allauth keeps that table true: a key that changes after the login leaves its row behind.
Here, the row follows the key and the session ends with its row. A session without a row is not
signed in: see `apps.users.middleware`.
"""

from datetime import UTC, datetime
from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from apps.users.models import User
from dovetail.models.prepared import PreparedRow

ROW = "session_row"  # the primary key of the session's UserSession
SIGNED_IN_AT = "signed_in_at"  # seconds since the epoch
UNKNOWN_ADDRESS = "::"


def _signed_in(key: str, now: datetime) -> QuerySet[UserSession]:
    sessions = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=now)
    rows = UserSession.objects.filter(session_key=key).select_related("user")
    stored = Subquery(sessions.values("session_data"))
    return cast("QuerySet[UserSession]", rows.annotate(stored=stored))


SIGNED_IN = PreparedRow(_signed_in, str, datetime)
STORED = PreparedRow(
    lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now), str, datetime
)


class SessionStore(db.SessionStore):
    """Django's sessions in the database, which end SESSION_LIFETIME after the login.

    Not in the cache too (`cached_db`), which is believed: whoever can write to it would sign in as
    anyone, and a session that ended while it was unavailable would live on in it.

    Attributes:
        ends_at: when the session ends even if it is in use, None for one that is not signed in.
        loaded_row: the row with its user, as they were when the session was loaded; None if they
            were not found, or have been taken by `take_row`.
    """

    loaded_row: UserSession | None = None

    def load(self) -> dict[str, Any]:
        """Load a session, and if it is signed in, its row and user, with one query."""
        now = timezone.now()
        row: Any = SIGNED_IN.first(self.session_key, now) if self.session_key else None
        if row is not None and row.stored is not None:
            self.loaded_row = row
            return self.decode(row.stored)
        stored = STORED.first(self.session_key, now) if self.session_key else None
        if stored is None:
            self._session_key = None  # as Django does: never take a key that someone else has made
            return {}
        return self.decode(stored.session_data)

    async def aload(self) -> dict[str, Any]:
        return await sync_to_async(self.load)()

    def take_row(self) -> UserSession | None:
        """Return `loaded_row` the first time: whoever asks again wants it as it is then."""
        row, self.loaded_row = self.loaded_row, None
        return row

    @property
    def ends_at(self) -> datetime | None:
        return _end(self.get(SIGNED_IN_AT))

    def cycle_key(self) -> None:
        """Give the session a new key, and its row with it.

        Of requests that do so at the same time, the first one makes the key and the others take it
        over. A session that was ended in the meantime is flushed.
        """
        pk = self.get(ROW)
        if pk is None:
            super().cycle_key()
            return
        with transaction.atomic():
            row = UserSession.objects.select_for_update().filter(pk=pk).first()
            if row is None:
                self.flush()
            elif row.session_key != self.session_key:
                self._session_key = row.session_key
                self.modified = True
            else:
                super().cycle_key()
                row.session_key = self.session_key
                row.save(update_fields=["session_key"])

    async def acycle_key(self) -> None:
        await sync_to_async(self.cycle_key)()

    def flush(self) -> None:
        key = self.session_key
        super().flush()
        if key:
            UserSession.objects.filter(session_key=key).delete()

    async def aflush(self) -> None:
        await sync_to_async(self.flush)()

    def get_expiry_age(self, **kwargs: Any) -> int:
        age = super().get_expiry_age(**kwargs)
        # With a date, this is called to load the session, so its data is not there yet.
        return age if "expiry" in kwargs else _capped_age(age, self.ends_at)

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        age = await super().aget_expiry_age(**kwargs)
        if "expiry" in kwargs:
            return age
        return _capped_age(age, _end(await self.aget(SIGNED_IN_AT)))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        date = super().get_expiry_date(**kwargs)
        return min(date, self.ends_at or date)

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        date = await super().aget_expiry_date(**kwargs)
        return min(date, _end(await self.aget(SIGNED_IN_AT)) or date)


def start(request: HttpRequest, user: User) -> None:
    """List a session that has just been signed in, by whatever code.

    The session is flushed instead if the person's sessions were ended after this sign-in began, as
    by a new password while the second factor was being asked for.
    """
    session = getattr(request, "session", None)
    if session is None or session.get(SESSION_KEY) != str(user.pk):
        return  # signed in without a session, as by a token
    with transaction.atomic():
        # Waits for `end_sessions`, which then either finds the row or is found here.
        locked = User.objects.select_for_update(no_key=True).filter(pk=user.pk)
        ended_at = locked.values_list("sessions_ended_at", flat=True).get()
        began_at = _began_at(request, user)
        if ended_at and began_at <= ended_at:
            session.flush()
            request.user = AnonymousUser()
            return
        _make_row(request, user, session, began_at)


def _make_row(
    request: HttpRequest, user: User, session: SessionBase, signed_in_at: datetime
) -> None:
    if former := session.pop(ROW, None):  # Django keeps the key if the same person signs in again
        session.cycle_key()
        UserSession.objects.filter(pk=former).delete()
    if not session.session_key:
        session.create()
    row = UserSession.objects.create(
        user=user,
        session_key=session.session_key,
        ip=_address(request),
        user_agent=user_agent(request),
        created_at=signed_in_at,
    )
    session[ROW] = row.pk
    session[SIGNED_IN_AT] = signed_in_at.timestamp()
    session.save()  # otherwise it would seem to have ended until the end of the request


def end_sessions(user: User, *, except_for: SessionBase | None = None) -> None:
    """End all of a person's sessions, or all but one, and the sign-ins that have already begun."""
    with transaction.atomic():
        user.sessions_ended_at = timezone.now()
        User.objects.filter(pk=user.pk).update(sessions_ended_at=user.sessions_ended_at)
        rows = UserSession.objects.select_for_update().filter(user=user)
        if except_for is not None:
            rows = rows.exclude(pk=except_for.get(ROW))
        UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()


def is_listed(session: SessionBase, row: UserSession | None) -> bool:
    """Return whether a session has this row and has not reached SESSION_LIFETIME."""
    if row is None or row.session_key != session.session_key:
        return False
    ends_at = _end(session.get(SIGNED_IN_AT))
    return ends_at is not None and ends_at > timezone.now()


def user_agent(request: HttpRequest) -> str:
    """Return the User-Agent header, as long as a `UserSession` can store it."""
    length = UserSession._meta.get_field("user_agent").max_length
    return str(request.META.get("HTTP_USER_AGENT", ""))[:length]


def _began_at(request: HttpRequest, user: User) -> datetime:
    """Return when the sign-in that has just been completed passed its first step."""
    for record in reversed(get_authentication_records(request, user)):
        if record["method"] != "mfa" or record.get("passwordless"):
            return datetime.fromtimestamp(record["at"], tz=UTC)
    return timezone.now()


def _end(signed_in_at: float | None) -> datetime | None:
    if signed_in_at is None:
        return None
    return datetime.fromtimestamp(signed_in_at, tz=UTC) + settings.SESSION_LIFETIME


def _capped_age(age: int, end: datetime | None) -> int:
    return age if end is None else min(age, int((end - timezone.now()).total_seconds()))


def _address(request: HttpRequest) -> str:
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:  # not from a connection, as the test client's `force_login`
        return UNKNOWN_ADDRESS
