"""Starts the web server: Granian, as production needs it."""

import errno
import logging
import os
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from dovetail.database import capacity
from dovetail.serving import plan as plans

logger = logging.getLogger("dovetail.serve")

MOST_PORTS, MOST_WORKERS = 65535, 512


class Command(BaseCommand):
    help = (
        "Starts the web server. SIGTERM stops it after the requests in flight, SIGHUP replaces its "
        "processes one after another."
    )
    requires_system_checks = []  # they would delay each start; `check --deploy` runs them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="The address to listen on.")
        parser.add_argument("--port", type=int, default=settings.PORT, help="The port.")
        parser.add_argument("--workers", type=int, default=0, help="The number of processes.")

    def handle(self, *, host: str, port: int, workers: int, **options: Any) -> None:
        del options
        if not host or not 0 < port <= MOST_PORTS or not 0 <= workers <= MOST_WORKERS:
            raise CommandError(
                f"--host must not be empty, --port must be from 1 to {MOST_PORTS}, and --workers "
                f"at most {MOST_WORKERS}, or 0 for WEB_CONCURRENCY."
            )
        if port == settings.METRICS_PORT:
            raise CommandError(f"METRICS_PORT is {port}, the site's own port: set it to another.")
        # Granian's allocator then takes 4 KiB less per socket; see benchmarks/README.md. It reads
        # this when it is loaded.
        os.environ.setdefault("_RJEM_MALLOC_CONF", "cache_oblivious:false")
        from dovetail.serving.server import Server, listen  # noqa: PLC0415 - see above

        try:
            listener = listen(host, port)
        except socket.gaierror as error:
            raise CommandError(f"Cannot listen on {host}: {error.strerror}.") from error
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            remedy = (
                "give an address of this machine, or 0.0.0.0 for all of them"
                if error.errno == errno.EADDRNOTAVAIL
                else "stop what uses it, or set PORT to a free port"
            )
            raise CommandError(
                f"Cannot listen on {host}, port {port} ({reason}): {remedy}."
            ) from error
        plan = plans.make(workers)
        logger.info(
            "Serving on %s, port %d: %d workers (%s), %d connections each",
            *(host, port, plan.workers, "; ".join(plan.reasons), plan.connections),
        )
        self.report_connections(plan.workers)
        try:
            server = Server(plan, listener)
        except OSError as error:  # of the module ssl, or there is no such file
            raise CommandError(
                f"GRANIAN_SSL_CERTIFICATE and GRANIAN_SSL_KEYFILE cannot be used ({error}): set "
                "them to the paths of a certificate and its key, in PEM."
            ) from error
        server.run()

    def report_connections(self, workers: int) -> None:
        """Log how many connections to the database the site needs, and how many there are."""
        need = capacity.need(workers)
        try:
            with capacity.probe() as connection:
                available = capacity.available(connection)
        except DatabaseError:
            logger.warning("The database is unavailable; starting nevertheless. It needs %s", need)
            return
        level = logging.INFO if need.sum <= available else logging.WARNING
        logger.log(
            level,
            "Up to %d of %d connections to the database: %s%s",
            *(need.sum, available, need),
            "" if level == logging.INFO else "; `check --deploy` says what to change",
        )
