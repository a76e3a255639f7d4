"""The traces that `up --telemetry` collects, shown at /dev/traces/.

Own code because no viewer for OpenTelemetry is on PyPI or npm as a program of its own.
"""
