from django.db import models


class Room(models.Model):
    name = models.CharField(max_length=20)
    floor = models.IntegerField(db_default=0)
    code = models.CharField(max_length=20, db_default="", db_index=True)

    class Meta:
        app_label = "rooms"
        indexes = [models.Index(fields=["name"], name="room_name")]

    def __str__(self) -> str:
        return self.name
