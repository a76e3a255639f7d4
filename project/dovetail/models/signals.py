"""Signals that Django lacks."""

from django.dispatch import Signal

# Sent when a QuerySet created, updated, deleted or restored rows at once, for which Django sends no
# `post_save`. Arguments: `sender`, the model; `pks`, of the rows; `using`, the database.
rows_changed = Signal()
