"""Signals that Django doesn't have."""

from django.dispatch import Signal

# Sent after a QuerySet created, updated, soft-deleted or restored rows in bulk, for which Django
# sends no `post_save`. Arguments: `sender` (the model), `pks` (the primary keys of the rows),
# `using` (the database alias), `fields` (the names of the fields that an update set; empty for
# `bulk_create`) and `is_created` (whether the rows are new).
rows_changed = Signal()
