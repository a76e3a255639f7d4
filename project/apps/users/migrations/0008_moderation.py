import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Until now, an inactive account that its owner had not closed was one that staff had banned.
RECORD_BANS = """
UPDATE users_user SET banned_at = now() WHERE NOT is_active AND deleted_at IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("users", "0007_sessions_ended_at"),
    ]

    operations = [
        migrations.AddField(
            model_name="notification",
            name="deleted_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="banned_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="banned_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(RECORD_BANS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("banned_at", None), ("is_active", False), _connector="OR"),
                name="user_banned_is_inactive",
            ),
        ),
    ]
