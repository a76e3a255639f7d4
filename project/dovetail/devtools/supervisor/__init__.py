"""Runs processes in order, restarts them, and leaves none behind, even after `kill -9`."""
