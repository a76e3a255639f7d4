"""Runs allauth's OpenID provider in a separate process, with an in-memory database.

    python tests/e2e/accounts/identity_provider.py PORT SITE_URL

Its users are `known@example.org` and `linked@example.org`, whose addresses are verified, and
`unverified@example.org`. Their password is `password`. Its client is `site`, with the secret
`secret`.
"""

import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, include, path

CLIENT_ID, CLIENT_SECRET = "site", "secret"
PASSWORD = "password"

urlpatterns: list[URLPattern | URLResolver] = []


def configure() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings.configure(
        SECRET_KEY="a provider that lives as long as a test",
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "allauth",
            "allauth.account",
            "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        # The server has one thread, so one connection and one in-memory database.
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                    ]
                },
            }
        ],
        # Servers on one host share cookies regardless of their ports.
        SESSION_COOKIE_NAME="provider",
        CSRF_COOKIE_NAME="provider-csrf",
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_RATE_LIMITS=False,
        IDP_OIDC_PRIVATE_KEY=pem,
        LOGIN_REDIRECT_URL="/",
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    urlpatterns.extend(
        [
            path("accounts/", include("allauth.urls")),
            path("", include("allauth.idp.urls")),
            path("", lambda _: HttpResponse("The page of the provider.")),
        ]
    )


def fill(site: str) -> None:
    from allauth.account.models import EmailAddress  # noqa: PLC0415 - needs the settings
    from allauth.idp.oidc.models import Client  # noqa: PLC0415
    from django.contrib.auth.models import User  # noqa: PLC0415

    for name, verified in (("known", True), ("linked", True), ("unverified", False)):
        email = f"{name}@example.org"
        user = User.objects.create_user(name, email, PASSWORD, first_name=name.title())
        EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    client = Client(id=CLIENT_ID, name="Site", skip_consent=True)
    client.set_secret(CLIENT_SECRET)
    client.set_scopes(["openid", "email", "profile"])
    client.set_redirect_uris([f"{site}/accounts/oidc/realm/login/callback/"])
    client.set_post_logout_redirect_uris([f"{site}/"])
    client.save()


class Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    port, site = int(sys.argv[1]), sys.argv[2]
    configure()
    fill(site)
    server: WSGIServer = make_server(
        "127.0.0.1", port, get_wsgi_application(), handler_class=Handler
    )
    print("ready", flush=True)  # noqa: T201 - the parent process waits for this
    server.serve_forever()


if __name__ == "__main__":
    main()
