import os

from config.startup import refuse_in_one_sentence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

with refuse_in_one_sentence():
    from config import env

    env.use_defaults({"DATABASE_POOL_SIZE": "8"})

    from django.core.asgi import get_asgi_application

    django = get_asgi_application()  # first: what follows needs the applications loaded

    from dovetail.cable.asgi import with_cable
    from dovetail.cable.drain import say_goodbye_on_stop
    from dovetail.http.lifespan import with_lifespan

    application = with_lifespan(with_cable(django), on_startup=say_goodbye_on_stop)
