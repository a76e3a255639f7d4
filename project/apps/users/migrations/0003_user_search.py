from django.db import migrations

import apps.core.search


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0002_account_lifecycle"),
    ]

    operations = [
        apps.core.search.CreateSearchExtension(),
        migrations.AddIndex(
            model_name="user",
            index=apps.core.search.SearchIndex(
                columns=["is_active", "is_staff", "created_at", "deleted_at"],
                config=apps.core.search.SearchConfig(
                    {"email": 3, "display_name": 2, "biography": 1},
                    autocomplete=["email", "display_name"],
                ),
                name="user_search",
            ),
        ),
    ]
