from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0008_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name="commentnotification",
            name="emailed_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
