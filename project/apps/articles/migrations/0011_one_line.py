import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0010_cover_variants"),
    ]

    operations = [
        migrations.AlterField(
            model_name="article",
            name="title",
            field=models.CharField(
                max_length=140,
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
