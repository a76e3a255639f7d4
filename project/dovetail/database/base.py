"""Django's backend for PostgreSQL, with a check of pooled connections that takes no round trip.

Own code because Django has the pool send an empty query before each request. That takes a tenth of
the time of a short one, only to find the connections that a restart of the server has ended. The
operating system knows them already: as for urllib3 and redis-py, a connection that waits for
nothing and yet has something to read has ended.
"""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """For the setting `ENGINE`. With a pool, leave `CONN_HEALTH_CHECKS` off."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        """Return a connection that the server has not ended.

        Raises:
            psycopg_pool.PoolTimeout: the pool has none, and no new one in time.
        """
        while True:
            connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
            if self.pool is None or not _has_ended(connection):
                return connection
            connection.close()
            self.pool.putconn(connection)  # which opens another one instead


def _has_ended(connection: psycopg.Connection[Any]) -> bool:
    poll = select.poll()  # unlike select(), for descriptors of any number
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
