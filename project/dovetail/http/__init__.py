"""Middleware for probes, security headers and static files, and the ASGI lifespan.

    MIDDLEWARE = [
        "dovetail.http.health.HealthMiddleware",  # /livez and /readyz
        "dovetail.http.hosts.HostMiddleware",
        "dovetail.http.proxy.RedirectLoopMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "dovetail.http.static.StaticFilesMiddleware",
        "dovetail.http.security.SecurityHeadersMiddleware",
        ...
    ]

Base your own middleware on `dovetail.http.middleware.Middleware`.
"""
