"""Who opened a socket, in short identifiers that a socket keeps instead of a session and a user."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from dovetail.http.address import network_of

Person = AbstractBaseUser | AnonymousUser


class Identity(NamedTuple):
    """Who opened a socket.

    Attributes:
        user_id: the user's primary key, None for an anonymous visitor.
        session: the digest of the session key, which broadcasts name to end the session's sockets.
        session_key: the session key itself, to look the session up again.
        auth_hash: the user's session auth hash, which changes with the password.
        address: the IP address of an anonymous visitor.
    """

    user_id: str | None = None
    session: str | None = None
    session_key: str = ""
    auth_hash: str = ""
    address: str = ""

    @property
    def holder(self) -> str:
        """The session, or the network of the address, whose sockets are counted together."""
        return self.session or network_of(self.address)


def session_digest(key: str) -> str:
    """Return what stands for a session in broadcasts, where its key could be used to sign in."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def load_user(user_id: str | None) -> Person:
    """Return the active user as the database has it now, or an anonymous one."""
    if user_id is not None:
        user = _active_users().filter(pk=user_id).first()
        if user is not None:
            return user
    return AnonymousUser()


def load_session_user(user_id: str | None, session_key: str) -> Person:
    """Return the active user of a session that is listed, or an anonymous one, in one query."""
    if user_id is not None:
        sessions = listed(Session.objects.filter(pk=session_key))
        user = _active_users().filter(Exists(sessions), pk=user_id).first()
        if user is not None:
            return user
    return AnonymousUser()


def listed(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Return the sessions that have a row in CABLE_SESSION_MODEL; all of them without the setting.

    The setting names the model that lists people's sessions by `session_key`, so that a session
    which its owner cannot see and end is not signed in.
    """
    name = getattr(settings, "CABLE_SESSION_MODEL", "")
    if not name:
        return sessions
    rows = apps.get_model(name)._default_manager.filter(session_key=OuterRef("pk"))
    return sessions.filter(Exists(rows))


def valid(identities: Iterable[Identity]) -> set[Identity]:
    """Return the signed-in identities whose session and user are unchanged, in two queries."""
    people = {identity for identity in identities if identity.user_id}
    stored = Session.objects.filter(
        pk__in=[identity.session_key for identity in people], expire_date__gt=timezone.now()
    )
    sessions = set(listed(stored).values_list("pk", flat=True))
    users = _active_users().filter(pk__in={identity.user_id for identity in people})
    hashes = {str(user.pk): user.get_session_auth_hash() for user in users}
    return {
        identity
        for identity in people
        if identity.session_key in sessions
        and hashes.get(str(identity.user_id)) == identity.auth_hash
    }


def _active_users() -> QuerySet[AbstractBaseUser]:
    return get_user_model()._default_manager.filter(is_active=True)
