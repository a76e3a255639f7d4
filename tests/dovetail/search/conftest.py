from tests.engines import on_paradedb, on_postgres, search_engine, use_engine

__all__ = ["on_paradedb", "on_postgres", "search_engine", "use_engine"]
