import os

from config.startup import one_line_errors

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

with one_line_errors(is_web=True):
    import django
    from django.conf import settings

    django.setup(set_prefix=False)  # first: the imports below need the apps loaded

    from dovetail.database.limits import limit

    limit("web")

    from dovetail.cable.asgi import with_cable
    from dovetail.cable.drain import drain_on_sigterm
    from dovetail.cache.answers import with_visitor_pages
    from dovetail.http.access_log import with_access_log
    from dovetail.http.asgi import get_application
    from dovetail.http.bodies import with_body_limits
    from dovetail.http.closing import with_closing
    from dovetail.http.lifespan import with_lifespan
    from dovetail.http.static import with_static
    from dovetail.telemetry.asgi import with_telemetry

    django_application, close = get_application()
    application = with_cable(with_static(with_visitor_pages(django_application)))
    application = with_lifespan(application, on_startup=drain_on_sigterm, on_shutdown=close)
    application = with_closing(with_body_limits(application))
    if settings.ACCESS_LOG:
        application = with_access_log(application)
    application = with_telemetry(application)
