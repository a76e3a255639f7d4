"""Hotwire Turbo on the server: frames, stream responses, and broadcasts to open pages.

Add `dovetail.turbo.middleware.TurboMiddleware`, `{% load turbo %}` in templates, and answer a
form with changes to the page:

    return TurboStreamResponse(streams.append("comments", html))  # dovetail.turbo.streams

To keep other users' pages up to date, derive a model from
`dovetail.turbo.models.BroadcastsRefreshes`. docs/turbo.md and docs/realtime.md show the rest.
"""
