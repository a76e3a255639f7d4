import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Who deleted articles until now is unknown: their authors may restore them, as before. Their comments
# stay without `deleted_by`, and are restored with them.
LET_AUTHORS_RESTORE = """
UPDATE articles_article SET deleted_by_id = author_id WHERE deleted_at IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0005_body_limit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="article",
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
            model_name="comment",
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
        migrations.RunSQL(LET_AUTHORS_RESTORE, migrations.RunSQL.noop),
    ]
