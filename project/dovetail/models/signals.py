"""Signals that Django doesn't have."""

from django.dispatch import Signal

# Sent after a QuerySet created, updated, soft-deleted or restored rows in bulk, for which Django
# sends no `post_save`. Arguments: `sender` (the model), `pks` (the primary keys of the rows) and
# `using` (the database alias).
rows_changed = Signal()
