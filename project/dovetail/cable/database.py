"""Queries of sockets, in few threads of their own.

The one thread that Django shares among asynchronous code would let a slow query of one socket hold
all the others.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4  # fewer than the connections of a web process's pool

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cable")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that asks the database; its thread's connections are given back after."""

    def call() -> R:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False, executor=_threads)()
