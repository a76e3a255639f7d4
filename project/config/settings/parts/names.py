"""The project's names: one for people, one for machines."""

SITE_NAME = "Dovetail"
PROJECT_NAME = "dovetail"  # the development database, and the prefix of cache keys and channels
