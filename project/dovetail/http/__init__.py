"""Middleware for probes, security headers and static files, and the ASGI lifespan.

    MIDDLEWARE = [
        "dovetail.http.health.HealthMiddleware",  # /livez and /readyz
        "django.middleware.security.SecurityMiddleware",
        "dovetail.http.static.StaticFilesMiddleware",
        "dovetail.http.security.SecurityHeadersMiddleware",
        ...
    ]

Write middleware of your own on `dovetail.http.middleware.Middleware`.
"""
