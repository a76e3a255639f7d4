from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates its index at the end, after which Django records it outside of the transaction."""

    dependencies = [("rooms", "0003_room_name")]
    operations = [
        migrations.AddField(
            "room", "code", models.CharField(max_length=20, db_default="", db_index=True)
        ),
    ]
