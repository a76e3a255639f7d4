"""Collects everything stored about a person, for their data export.

Every `BaseModel` with a foreign key to the user is included automatically. allauth's models are
listed here, without their secrets.
"""

from collections.abc import Iterator
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.core.files import File
from django.db import models

from apps.core.models import BaseModel
from apps.users.devices import describe
from apps.users.models import DataExport, User
from dovetail.mail.models import Suppression

EXCLUDED_FIELDS = {"password", "digest"}


def collect(user: User) -> dict[str, Any]:
    """Return everything stored about a person, serializable with Django's JSON encoder."""
    return {
        "account": _values(user),
        "email_addresses": list(
            EmailAddress.objects.filter(user=user).values("email", "verified", "primary")
        ),
        "mail_problems": list(
            Suppression.objects.for_address(user.email).values("reason", "detail", "occurred_at")
        ),
        "connected_accounts": list(
            SocialAccount.objects.filter(user=user).values(
                "provider", "uid", "date_joined", "last_login", "extra_data"
            )
        ),
        "second_factors": list(
            Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")
        ),
        "sessions": [
            {
                "browser": describe(session.user_agent),
                "ip": session.ip,
                "created_at": session.created_at,
                "last_seen_at": session.last_seen_at,
            }
            for session in UserSession.objects.filter(user=user)
        ],
        **{rows.model._meta.label_lower: [_values(row) for row in rows] for rows in owned(user)},
    }


def owned(user: User) -> Iterator[models.QuerySet[Any]]:
    """Return the rows of each `BaseModel` that belong to a person."""
    for relation in User._meta.related_objects:
        model: Any = relation.related_model
        if (
            isinstance(relation, models.ManyToOneRel)
            and issubclass(model, BaseModel)
            and model is not DataExport
        ):
            manager = getattr(model, "all_objects", model._base_manager)
            yield manager.filter(**{relation.field.name: user}).order_by("pk")


def _values(row: models.Model) -> dict[str, Any]:
    fields = [field for field in row._meta.concrete_fields if field.name not in EXCLUDED_FIELDS]
    values = {field.name: field.value_from_object(row) for field in fields}
    return {
        name: value.name or None if isinstance(value, File) else value
        for name, value in values.items()
    }
