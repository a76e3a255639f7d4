import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0012_avatar_variants"),
    ]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="display_name",
            field=models.CharField(
                blank=True,
                help_text="Shown next to what you write.",
                max_length=80,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]*\\Z",
                        "Write it in one line, without line breaks and other control characters.",
                        "not_a_line",
                    )
                ],
            ),
        ),
    ]
