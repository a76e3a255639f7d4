from django.db import migrations

import dovetail.media.variants


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0009_comment_mail"),
    ]

    operations = [
        migrations.AddField(
            model_name="article",
            name="cover_variants",
            field=dovetail.media.variants.VariantsField(),
        ),
    ]
