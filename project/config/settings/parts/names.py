"""The names of the project: one for people, one for machines."""

SITE_NAME = "Dovetail"
PROJECT_NAME = "dovetail"  # of the development database; also the prefix of cache keys and channels
# By it, secret scanners recognize an access token; tokens with another prefix are not accepted.
ACCESS_TOKEN_PREFIX = "dvt_"  # noqa: S105 - public
