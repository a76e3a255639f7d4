"""Replaces the small avatar, a file with a name of its own, by variants of the avatar.

The files of small avatars stay where they are until the nightly `delete_orphaned_files` finds them:
what is deleted here could not be brought back if this migration had to be undone. The variants of
avatars that exist are made by `manage.py make_variants`, or by the nightly task; until then, pages
show the avatars themselves.
"""

from django.db import migrations

import dovetail.media.variants


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0011_access_tokens"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="user",
            name="user_avatar_small",
        ),
        migrations.RemoveField(
            model_name="user",
            name="avatar_small",
        ),
        migrations.AddField(
            model_name="user",
            name="avatar_variants",
            field=dovetail.media.variants.VariantsField(),
        ),
    ]
