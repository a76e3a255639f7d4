"""What every environment shares. Each concern has its own short file in `parts/`."""

import django_stubs_ext

from config.settings.parts.apps import *
from config.settings.parts.auth import *
from config.settings.parts.cache import *
from config.settings.parts.celery import *
from config.settings.parts.channels import *
from config.settings.parts.database import *
from config.settings.parts.frontend import *
from config.settings.parts.http import *
from config.settings.parts.i18n import *
from config.settings.parts.logging import *
from config.settings.parts.mail import *
from config.settings.parts.media import *
from config.settings.parts.names import *
from config.settings.parts.paths import *
from config.settings.parts.search import *
from config.settings.parts.security import *
from config.settings.parts.sso import *
from config.settings.parts.templates import *

# Lets `ListView[Article]` stand in code that runs, not only in annotations.
django_stubs_ext.monkeypatch()
