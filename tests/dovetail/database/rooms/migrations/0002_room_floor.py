from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rooms", "0001_initial")]
    operations = [
        migrations.AddField("room", "floor", models.IntegerField(db_default=0)),
    ]
