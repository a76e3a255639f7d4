from apps.users.models.data_export import DataExport
from apps.users.models.mapped_rights import MappedRights
from apps.users.models.notification import Notification, NotificationQuerySet
from apps.users.models.personal_access_token import PersonalAccessToken
from apps.users.models.security_event import SecurityEvent
from apps.users.models.user import User, UserManager

__all__ = [
    "DataExport",
    "MappedRights",
    "Notification",
    "NotificationQuerySet",
    "PersonalAccessToken",
    "SecurityEvent",
    "User",
    "UserManager",
]
