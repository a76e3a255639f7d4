"""Production as it is deployed: the image's files and command, behind a TLS proxy."""
