from django.db import migrations

import dovetail.search


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0002_account_lifecycle"),
    ]

    operations = [
        dovetail.search.CreateSearchExtension(),
        migrations.AddIndex(
            model_name="user",
            index=dovetail.search.SearchIndex(
                columns=["is_active", "is_staff", "created_at", "deleted_at"],
                config=dovetail.search.SearchConfig(
                    {"email": 3, "display_name": 2, "biography": 1},
                    autocomplete=["email", "display_name"],
                ),
                name="user_search",
            ),
        ),
    ]
