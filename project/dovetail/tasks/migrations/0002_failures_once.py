from typing import Any

from django.db import migrations, models
from django.db.models import OuterRef, Q, Subquery


def keep_one_of_each(apps: Any, schema_editor: Any) -> None:
    """Delete all but the first record of a call that failed more than once."""
    rows = apps.get_model("dovetail_tasks", "TaskFailure").objects.using(
        schema_editor.connection.alias
    )
    named = rows.exclude(task_id="")
    first = named.filter(task_id=OuterRef("task_id")).order_by("pk").values("pk")[:1]
    named.exclude(pk=Subquery(first)).delete()


class Migration(migrations.Migration):
    dependencies = [("dovetail_tasks", "0001_tasks")]

    operations = [
        migrations.RunPython(keep_one_of_each, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "taskfailure",
            models.UniqueConstraint(
                fields=["task_id"], condition=~Q(task_id=""), name="task_failure_is_unique"
            ),
        ),
    ]
