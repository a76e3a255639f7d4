"""Personal access tokens: makes, finds and revokes what a program uses the API with.

    dvt_0aZ…  the prefix, 30 random characters (178 bits), and their CRC-32 in 6 characters

As GitHub's, they can be told from other text by their form alone, so that secret scanners find
those that leak. The database has only an HMAC of each, with a key derived from SECRET_KEY: a copy
of the database opens nothing, and allows no guess to be tried. All that is random in a token is, so
the digest needs no salt, and an index finds it.

Own code because REST framework's tokens are stored as they are, one for each person, with neither
scopes nor expiry; django-rest-knox has no scopes either, and hashes without a key.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import get_random_string, salted_hmac

from apps.users.models import PersonalAccessToken, User
from apps.users.security_log import Kind, record
from apps.users.sso import binding, rights

# Part of the derived key, so it must not follow the module's name: with any other value, no token
# is found.
SALT = "apps.users.access_tokens"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM = 30  # characters
CHECKSUM = 6  # characters, the most that 32 bits take
SHOWN = 4  # of the random characters, in lists; the others have 154 bits
CREATED_PER_HOUR = 30  # by a person, who gets a mail about each
INTERVAL = timedelta(minutes=1)  # between two updates of one token


def create(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    parent: PersonalAccessToken | None = None,
) -> tuple[PersonalAccessToken, str]:
    """Create a token for a person, and mail them that there is a new one.

    Args:
        user: whose token it is, as read when the current request began.
        name: what the person calls it.
        scopes: what it may be used for, of API_SCOPES.
        expires_at: when it ends.
        parent: the token that asks for it, None for a session.

    Returns:
        Its row, and the token itself, which cannot be read again.

    Raises:
        ValidationError: what is wrong, by field, or that the person has too many.
        PermissionDenied: what asks for it was ended in the meantime.
    """
    token, text = generate(
        user=user, parent=parent, name=name, scopes=sorted(set(scopes)), expires_at=expires_at
    )
    token.full_clean(exclude={"user", "parent", "digest"}, validate_unique=False)
    _check_lifetime(token)
    with transaction.atomic():
        # Waits for whatever ends the person's access, which then is noticed here or finds the row.
        stored = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _check_access(stored, user, parent)
        if user.access_tokens.count() >= settings.ACCESS_TOKENS_PER_PERSON:
            raise ValidationError(
                f"You have {settings.ACCESS_TOKENS_PER_PERSON} tokens, which is the limit. "
                "Revoke one that you no longer use.",
                code="too_many",
            )
        recent = user.security_events.filter(
            kind=Kind.TOKEN_CREATED, created_at__gt=timezone.now() - timedelta(hours=1)
        )
        if recent.count() >= CREATED_PER_HOUR:
            told = "You have created many tokens in the last hour. Try again later."
            raise ValidationError(told, code="too_many")
        token.save()
        record(Kind.TOKEN_CREATED, user, detail=name)
        get_adapter().send_notification_mail("account/email/token_created", user, {"token": token})
    return token, text


def generate(**fields: Any) -> tuple[PersonalAccessToken, str]:
    """Return the row of a new token, which is not saved, and the token itself."""
    body = get_random_string(RANDOM, ALPHABET)
    text = f"{settings.ACCESS_TOKEN_PREFIX}{body}{_checksum(body)}"
    start = text[: len(settings.ACCESS_TOKEN_PREFIX) + SHOWN]
    return PersonalAccessToken(start=start, digest=_digests(text)[0], **fields), text


def longest_life(user: User) -> timedelta:
    """Return how long a token of this person can be valid.

    If the user's address belongs to an identity provider, the limit is the lifetime of a
    single sign-on session, so that access ends when the provider no longer signs the user in.
    """
    limit: timedelta = settings.ACCESS_TOKEN_LIFETIME
    return min(limit, settings.SSO_LIFETIME) if binding.provider_for(user) else limit


def find(text: str) -> PersonalAccessToken | None:
    """Return the row of a valid token, with its user, and record its use; None for other text.

    Tokens that are unknown, expired or revoked, or belong to a closed account, take the same single
    query. Text that no token looks like takes none, which only tells what is public: the form.
    """
    if not is_well_formed(text):
        return None
    digests = _digests(text)
    rows = PersonalAccessToken.objects.valid().select_related("user")
    token = rows.filter(digest__in=digests).first()
    if token is None:
        return None
    _record_use(token, digests[0])
    rights.revoke_expired(token.user)
    return token


def revoke(token: PersonalAccessToken) -> None:
    """End a token, and those that were created with it."""
    with transaction.atomic():
        ended, level = [token], [token]
        while level := list(PersonalAccessToken.objects.filter(parent__in=level)):
            ended += level
        token.delete()
        for row in ended:
            record(Kind.TOKEN_REVOKED, token.user, detail=row.name)


def revoke_all(user: User) -> None:
    """End all tokens of a person."""
    with transaction.atomic():
        names = list(user.access_tokens.values_list("name", flat=True))
        user.access_tokens.all().delete()
        for name in names:
            record(Kind.TOKEN_REVOKED, user, detail=name)


def is_well_formed(text: str) -> bool:
    """Return whether text looks like a token of this site, as a secret scanner decides."""
    prefix = settings.ACCESS_TOKEN_PREFIX
    body = text.removeprefix(prefix)
    if not text.startswith(prefix) or len(body) != RANDOM + CHECKSUM:
        return False
    return set(body) <= set(ALPHABET) and body[RANDOM:] == _checksum(body[:RANDOM])


def _checksum(body: str) -> str:
    number, digits = crc32(body.encode()), ""
    for _ in range(CHECKSUM):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _digests(text: str) -> list[str]:
    """Return what a token may be stored as: the first by SECRET_KEY, others by its fallbacks."""
    return [
        salted_hmac(SALT, text, secret=key, algorithm="sha256").hexdigest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def _check_lifetime(token: PersonalAccessToken) -> None:
    latest = timezone.now() + longest_life(token.user)
    if token.expires_at > latest:
        told = f"Must not be after {latest.isoformat(timespec='seconds')}."
        raise ValidationError({"expires_at": ValidationError(told, code="too_late")})


def _check_access(stored: User, user: User, parent: PersonalAccessToken | None) -> None:
    """Check that nothing has ended the session or token that asks, since the request began."""
    is_same = stored.is_active and stored.sessions_ended_at == user.sessions_ended_at
    if parent is not None:
        is_same = is_same and PersonalAccessToken.objects.filter(pk=parent.pk).exists()
    if not is_same:
        raise PermissionDenied("Your sessions have just been ended. Sign in and try again.")


def _record_use(token: PersonalAccessToken, digest: str) -> None:
    """Record when a token was used, once in INTERVAL, and store its digest by the present key."""
    now = timezone.now()
    limit = now - INTERVAL
    is_recent = token.last_used_at is not None and token.last_used_at > limit
    if is_recent and token.digest == digest:
        return
    outdated = Q(last_used_at=None) | Q(last_used_at__lte=limit) | ~Q(digest=digest)
    rows = PersonalAccessToken.objects.filter(outdated, pk=token.pk)
    rows.update(last_used_at=now, digest=digest)
