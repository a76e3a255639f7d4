"""The names of the project: one for people, one for machines."""

SITE_NAME = "Dovetail"
PROJECT_NAME = "dovetail"  # of the development database; also the prefix of cache keys and channels
