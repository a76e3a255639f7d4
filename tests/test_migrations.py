"""Migrations since the last release do no harm to a site that is in use."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db(transaction=True)  # AddIndexConcurrently refuses to be in one
def test_new_migrations_are_safe() -> None:
    call_command("lint_migrations")
