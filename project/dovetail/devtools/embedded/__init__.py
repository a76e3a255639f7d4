"""Services that need no installation: PostgreSQL, Node, a Valkey-protocol server and an S3 server.

Tests run them as throwaway services:

    with throwaway_postgres(settings.DATA_DIR) as database_url, throwaway_valkey() as valkey_url:
        ...
"""
