"""Releases under traffic: of processes and of the schema, without a failed request."""
