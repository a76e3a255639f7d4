from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0011_one_line"),
    ]

    operations = [
        migrations.AddField(
            model_name="articleimport",
            name="attempts",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="articleimport",
            name="call",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="articleimport",
            name="waits",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AlterField(
            model_name="articleimport",
            name="state",
            field=models.CharField(
                choices=[
                    ("checking", "Checking"),
                    ("checked", "Ready"),
                    ("running", "Importing"),
                    ("canceled", "Canceled"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                ],
                default="checking",
                editable=False,
                max_length=10,
            ),
        ),
    ]
