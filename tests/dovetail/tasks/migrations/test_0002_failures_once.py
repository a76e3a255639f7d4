"""A call that has several records of its failure keeps the first."""

import pytest

from dovetail.tasks.models import TaskFailure
from tests.migrating import migrating

pytestmark = pytest.mark.django_db(transaction=True)


def test_records_of_the_same_call_become_one() -> None:
    with migrating("dovetail_tasks") as migrate:
        old = migrate("0001_tasks").get_model("dovetail_tasks", "TaskFailure")
        for error, task_id in [
            ("1", "a"),
            ("2", "a"),
            ("3", "b"),
            ("4", ""),
            ("5", ""),
            ("6", "a"),
        ]:
            old.objects.create(task="t", task_id=task_id, error=error)

        migrate("0002_failures_once")

        kept = TaskFailure.objects.values_list("error", flat=True)
        assert sorted(kept) == ["1", "3", "4", "5"]
