from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rooms", "0002_room_floor")]
    operations = [
        AddIndexConcurrently("room", models.Index(fields=["name"], name="room_name")),
    ]
