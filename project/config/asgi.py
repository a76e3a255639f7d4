import os

from config.startup import one_line_errors

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

with one_line_errors(DATABASE_POOL_SIZE="8"):
    from django.core.asgi import get_asgi_application

    django = get_asgi_application()  # first: the imports below need the apps loaded

    from dovetail.cable.asgi import with_cable
    from dovetail.cable.drain import drain_on_sigterm
    from dovetail.http.bodies import with_body_limits
    from dovetail.http.lifespan import with_lifespan

    application = with_lifespan(with_cable(django), on_startup=drain_on_sigterm)
    application = with_body_limits(application)
