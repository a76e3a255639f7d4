"""Delivery: the image that the Dockerfile builds, the Compose file, its proxy and its scripts."""
