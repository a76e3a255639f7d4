"""Settings that all environments share: one short file in `parts/` for each concern."""

import django_stubs_ext

from config.settings.parts.api import *
from config.settings.parts.apps import *
from config.settings.parts.auth import *
from config.settings.parts.backups import *
from config.settings.parts.cache import *
from config.settings.parts.celery import *
from config.settings.parts.channels import *
from config.settings.parts.database import *
from config.settings.parts.frontend import *
from config.settings.parts.headless import *
from config.settings.parts.http import *
from config.settings.parts.i18n import *
from config.settings.parts.logging import *
from config.settings.parts.mail import *
from config.settings.parts.media import *
from config.settings.parts.names import *
from config.settings.parts.paths import *
from config.settings.parts.search import *
from config.settings.parts.security import *
from config.settings.parts.server import *
from config.settings.parts.sso import *
from config.settings.parts.telemetry import *
from config.settings.parts.templates import *

# Makes `ListView[Article]` work at runtime too, not only in annotations.
django_stubs_ext.monkeypatch()
