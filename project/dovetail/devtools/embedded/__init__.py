"""Services that need no installation: PostgreSQL, Node and a Valkey-protocol server.

Tests run them as throwaway services:

    with throwaway_postgres(settings.DATA_DIR) as database_url, throwaway_valkey() as valkey_url:
        ...
"""
