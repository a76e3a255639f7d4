from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0006_security_event"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="sessions_ended_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
