import json
import logging
from typing import Any

from allauth.usersessions.models import UserSession
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from apps.users import addresses, mail, personal_data
from apps.users.models import DataExport, PersonalAccessToken, SecurityEvent, User
from apps.users.sso import rights

logger = logging.getLogger(__name__)


@shared_task
def delete_ended_user_sessions() -> None:
    """Delete what is stored about the browsers of sessions that no longer exist."""
    active = Session.objects.values("session_key")
    UserSession.objects.exclude(session_key__in=active).delete()


@shared_task
def revoke_expired_rights() -> None:
    """Revoke mapped rights past SSO_LIFETIME of people who make no requests."""
    for user in User.objects.filter(mapped_rights_expire_at__lte=timezone.now()):
        rights.revoke_expired(user)


@shared_task
def record_failed_sign_in(email: str, origin: dict[str, Any]) -> None:
    """Record that a wrong password was given for an account, if there is one with the address.

    Args:
        email: the address that was given.
        origin: the fields of the event that say from where (`apps.users.security_log.origin`).
    """
    if user := addresses.owner(email):
        SecurityEvent.objects.create(kind=SecurityEvent.Kind.SIGN_IN_FAILED, user=user, **origin)


@shared_task
def remove_old_security_events() -> None:
    """Delete security events older than SECURITY_EVENT_LIFETIME."""
    limit = timezone.now() - settings.SECURITY_EVENT_LIFETIME
    SecurityEvent.objects.filter(created_at__lt=limit).delete()


@shared_task
def remove_expired_access_tokens() -> None:
    """Delete access tokens that expired more than ACCESS_TOKEN_KEPT ago."""
    limit = timezone.now() - settings.ACCESS_TOKEN_KEPT
    PersonalAccessToken.objects.filter(expires_at__lt=limit).delete()


@shared_task
def collect_data(export_id: str) -> None:
    """Collect a person's data and email them the link to it."""
    with transaction.atomic():
        exports = DataExport.objects.select_for_update().select_related("user")
        export = exports.filter(pk=export_id, content__isnull=True).first()
        if export is None:
            return  # done by an earlier run of this task, or deleted
        data = personal_data.collect(export.user)
        export.content = json.loads(json.dumps(data, cls=DjangoJSONEncoder))
        export.save(update_fields=["content", "updated_at"])
        url = settings.SITE_URL + reverse("users:export", args=[export.pk])
        mail.send("account/email/data_export", export.user, {"url": url, "export": export})


@shared_task
def remove_old_exports() -> None:
    """Delete data exports older than DATA_EXPORT_LIFETIME."""
    limit = timezone.now() - settings.DATA_EXPORT_LIFETIME
    DataExport.objects.filter(created_at__lt=limit).delete()


@shared_task
def remove_deleted_accounts() -> None:
    """Delete the accounts past ACCOUNT_DELETION_GRACE, with their rows and files."""
    limit = timezone.now() - settings.ACCOUNT_DELETION_GRACE
    for pk in list(User.objects.filter(deleted_at__lt=limit).values_list("pk", flat=True)):
        with transaction.atomic():
            # A login may have restored the account in the meantime.
            user = User.objects.select_for_update().filter(pk=pk, deleted_at__lt=limit).first()
            if user is None:
                continue
            user.delete()
        logger.info("Deleted account %s for good after its grace period", pk)
