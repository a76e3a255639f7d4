"""Runs the database queries of sockets in a small thread pool.

Django runs synchronous code of all asynchronous code in one thread, where one socket's slow query
would block all other sockets.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4  # fewer than a web process has pooled database connections

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cable")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that queries the database, then release its thread's connections."""

    def call() -> R:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False, executor=_threads)()
