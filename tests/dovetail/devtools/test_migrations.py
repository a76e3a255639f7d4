"""The linter of migrations finds what it should, in planted ones."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.loader import MigrationLoader
from pytest_django.fixtures import Settings

from dovetail.devtools import migrations

pytestmark = pytest.mark.django_db

RELEASED = {("rooms", "0001_initial")}
HEAD = """
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.operations import (
    AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
)
from django.db import migrations, models
from django.db.migrations import *
from django.db.models import *


def forward(apps, schema_editor):
    apps.get_model("rooms", "Room").objects.update(name="Hall")

"""
INITIAL = """
class Migration(migrations.Migration):
    initial = True
    operations = [
        CreateModel("House", [("id", BigAutoField(primary_key=True))]),
        CreateModel("Room", [
            ("id", BigAutoField(primary_key=True)),
            ("name", CharField(max_length=20)),
            ("seats", IntegerField(null=True)),
            ("house", ForeignKey("rooms.House", CASCADE)),
        ]),
    ]
"""
NEW = """
class Migration(migrations.Migration):
    # {comment}
    atomic = {atomic}
    dependencies = [("rooms", "{parent}")]
    operations = [{operations}]
"""
POSITIVE = 'CheckConstraint(condition=Q(seats__gt=0), name="c")'
INDEX = 'Index(fields=["name"], name="i")'
GENERATED = "GeneratedField(expression=F('seats'), output_field=IntegerField(), db_persist=True)"

Plant = Callable[..., list[migrations.Finding]]


@pytest.fixture
def plant(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Return a function that lints a migration with these operations, or several."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.dovetail.database.rooms"]
    package = f"planted_{tmp_path.name}".replace("-", "_")
    settings.MIGRATION_MODULES = {"rooms": package}
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_initial.py").write_text(HEAD + INITIAL)
    monkeypatch.syspath_prepend(str(tmp_path))

    def plant(
        *migrations_: str, atomic: bool = True, comment: str = ""
    ) -> list[migrations.Finding]:
        parent = "0001_initial"
        for number, operations in enumerate(migrations_, 2):
            text = NEW.format(comment=comment, atomic=atomic, parent=parent, operations=operations)
            parent = f"{number:04}_planted"
            (folder / f"{parent}.py").write_text(HEAD + text)
        sys.modules.pop(package, None)
        released = migrations.read_released() | RELEASED
        return migrations.lint(MigrationLoader(None), released)

    return plant


@pytest.mark.parametrize(
    ("operations", "rule"),
    [
        ('AddField("room", "new", IntegerField(default=0))', "ban-drop-default"),
        (
            'AddField("room", "new", IntegerField(default=0), preserve_default=False)',
            "ban-drop-default",
        ),
        ('RemoveField("room", "name")', "ban-drop-column"),
        ('RenameField("room", "name", "title")', "renaming-column"),
        ('RenameModel("room", "hall")', "renaming-table"),
        ('AlterModelTable("room", "halls")', "renaming-table"),
        ('DeleteModel("room")', "ban-drop-table"),
        ('AlterField("room", "seats", BigIntegerField(null=True))', "changing-column-type"),
        ('AlterField("room", "name", CharField(max_length=10))', "changing-column-type"),
        ('AlterField("room", "seats", IntegerField(default=0))', "adding-not-nullable-field"),
        (f'AddIndex("room", {INDEX})', "require-concurrent-index-creation"),
        (
            'AlterField("room", "seats", IntegerField(null=True, db_index=True))',
            "require-concurrent-index-creation",
        ),
        (
            'AddConstraint("room", UniqueConstraint(fields=["name"], name="u"))',
            "disallowed-unique-constraint",
        ),
        (
            'AlterField("room", "seats", IntegerField(null=True, unique=True))',
            "disallowed-unique-constraint",
        ),
        (
            'AddField("room", "new", ForeignKey("rooms.House", CASCADE, null=True))',
            "adding-foreign-key-constraint",
        ),
        (f'AddConstraint("room", {POSITIVE})', "constraint-missing-not-valid"),
        (
            f'AddConstraintNotValid("room", {POSITIVE}), ValidateConstraint("room", "c")',
            "constraint-missing-not-valid",
        ),
        (
            'AddField("room", "new", IntegerField(null=True)), RunPython(forward)',
            migrations.MIXED,
        ),
        (
            'AddField("room", "new", UUIDField(db_default=RandomUUID()))',
            "adding-field-with-default",
        ),
        (
            f'AddField("room", "new", {GENERATED})',
            "adding-field-with-default",
        ),
        ('RunSQL("ALTER TABLE rooms_room DROP COLUMN name")', "ban-drop-column"),
        (f'AddIndexConcurrently("room", {INDEX})', migrations.REFUSED),
    ],
)
def test_unsafe_operation_is_found_with_a_remedy(plant: Plant, operations: str, rule: str) -> None:
    found = plant(operations)

    assert rule in {finding.rule for finding in found}
    assert {finding.migration for finding in found} == {("rooms", "0002_planted")}
    assert plant(operations, comment=f"accept {rule}: no one has used it") == [
        finding for finding in found if finding.rule != rule
    ]


@pytest.mark.parametrize(
    "operations",
    [
        'AddField("room", "new", IntegerField(null=True))',
        'AddField("room", "new", IntegerField(db_default=0))',
        'AddField("room", "new", CharField(max_length=20, db_default=""))',
        'AddField("room", "new", ManyToManyField("rooms.House", related_name="+"))',
        'AlterField("room", "name", CharField(max_length=20, choices=[("a", "A")]))',
        f'AddConstraintNotValid("room", {POSITIVE})',
        "RunPython(forward)",
        'CreateModel("Desk", [("room", ForeignKey("rooms.Room", CASCADE))])',
    ],
)
def test_safe_operation_is_not_reported(plant: Plant, operations: str) -> None:
    assert plant(operations) == []


@pytest.mark.django_db(transaction=True)
def test_index_without_locks_is_safe(plant: Plant) -> None:
    assert plant(f'AddIndexConcurrently("room", {INDEX})', atomic=False) == []


def test_constraint_that_is_validated_later_is_safe(plant: Plant) -> None:
    later = 'ValidateConstraint("room", "c")'

    assert plant(f'AddConstraintNotValid("room", {POSITIVE})', later) == []


def test_table_that_is_not_in_use_yet_may_be_indexed(plant: Plant) -> None:
    assert plant(
        'CreateModel("Desk", [("id", BigAutoField(primary_key=True)), ("name", TextField())])',
        f'AddIndex("desk", {INDEX})',
    ) == []  # fmt: skip


BEGINNER = [
    """
    CreateModel("Lamp", [("id", BigAutoField(primary_key=True))]),
    CreateModel("Desk", [
        ("id", BigAutoField(primary_key=True)),
        ("name", CharField(max_length=20)),
    ]),
    """,
    """
    AddField("desk", "lit", BooleanField(default=False)),
    AddField("desk", "lamp", ForeignKey("rooms.Lamp", CASCADE, null=True)),
    AddField("desk", "room", ForeignKey("rooms.Room", CASCADE, null=True))
    """,
    """
    RenameField("desk", "name", "title"),
    AlterField("desk", "title", CharField(max_length=10, unique=True)),
    AddConstraint("desk", UniqueConstraint(fields=["title", "lit"], name="u")),
    """,
    """
    RenameModel("desk", "table"),
    RemoveField("table", "lit"),
    AddIndex("table", Index(fields=["title"], name="i")),
    """,
    """
    RemoveIndex("table", "i"),
    RunSQL("DROP INDEX other; ALTER TABLE rooms_table ADD COLUMN x text NOT NULL -- new"),
    DeleteModel("table"),
    """,
]


def test_tables_that_are_not_in_use_yet_may_change(plant: Plant) -> None:
    """Kind: a beginner who is told to release each change of an app that no one has."""
    found = plant(*BEGINNER)

    # What RunSQL does to something else is found beside that.
    assert [(finding.migration[1], finding.rule) for finding in found] == [
        ("0006_planted", "require-concurrent-index-deletion")
    ]


def test_app_that_was_never_released_may_change(plant: Plant) -> None:
    plant('AddField("room", "new", IntegerField(default=0)), RemoveField("room", "name")')
    released = migrations.read_released()

    assert migrations.lint(MigrationLoader(None), released) == []


@pytest.mark.parametrize(
    ("operations", "rule"),
    [
        (
            'AddField("room", "desk", ForeignKey("Desk", CASCADE, null=True, db_index=False))',
            "adding-foreign-key-constraint",
        ),
        ('AlterModelTable("room", "halls")', "renaming-table"),
        (
            'RunSQL("CREATE TABLE IF NOT EXISTS rooms_room ()"), DeleteModel("room")',
            "ban-drop-table",
        ),
        ('RunSQL("DROP TABLE rooms_desk, rooms_room")', "ban-drop-table"),
        (
            'AddField("desk", "lit", BooleanField(default=False)), RemoveField("room", "name")',
            "ban-drop-column",
        ),
    ],
)
def test_table_in_use_is_judged_beside_new_ones(plant: Plant, operations: str, rule: str) -> None:
    found = plant('CreateModel("Desk", [("id", BigAutoField(primary_key=True))])', operations)

    assert [finding.rule for finding in found] == [rule]


def test_operation_without_sql_does_not_hide_the_others(plant: Plant) -> None:
    """Kind: a constraint that Django looks up in a database which is migrated already."""
    found = plant(
        'AlterUniqueTogether("room", {("name", "seats")})',
        'AlterUniqueTogether("room", set()), RemoveField("room", "name")',
        'RenameField("room", "seats", "places")',
    )

    assert {(finding.migration[1], finding.rule) for finding in found} == {
        ("0002_planted", "constraint-missing-not-valid"),
        ("0002_planted", "disallowed-unique-constraint"),
        ("0003_planted", "ban-drop-column"),
        ("0004_planted", "renaming-column"),
    }


@pytest.mark.parametrize(
    "operations",
    [
        """RunSQL("SET LOCAL statement_timeout = '3h'"), RunPython(forward)""",
        """RunSQL("SET LOCAL statement_timeout = '3h'; set lock_timeout=0;"), RunPython(forward)""",
    ],
)
def test_setting_beside_data_is_not_a_change_of_the_schema(plant: Plant, operations: str) -> None:
    assert plant(operations) == []


def test_field_is_made_required_as_the_documentation_says(plant: Plant) -> None:
    check = 'CheckConstraint(condition=Q(seats__isnull=False), name="c")'
    found = plant(
        f'AddConstraintNotValid("room", {check})',
        'ValidateConstraint("room", "c")',
        'AlterField("room", "seats", IntegerField())',
        'RemoveConstraint("room", "c")',
    )

    assert [(finding.migration[1], finding.rule) for finding in found] == []


def test_released_migration_that_does_not_exist_is_named(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Kind: a typing error after which all migrations of the app are new."""
    plant('RemoveField("room", "name")')
    path = tmp_path / "released.txt"
    path.write_text("rooms 0002_plantd\nnot_installed 0001_initial\n")
    monkeypatch.setattr(migrations, "released_file", lambda: path)

    with pytest.raises(CommandError) as raised:
        call_command("lint_migrations")

    assert str(raised.value) == (
        f"{path}: rooms has no migration '0002_plantd'; it has 0001_initial, 0002_planted."
    )


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("accept ban-drop-column:", "needs a reason"),
        ("accept ban-drop-column", "needs a reason"),
        ("accept renaming-column: it was never there", "is accepted, but not found"),
    ],
)
def test_comment_that_accepts_nothing_is_reported(plant: Plant, comment: str, message: str) -> None:
    found = plant('RemoveField("room", "name")', comment=comment)

    assert message in " ".join(finding.message for finding in found)
    assert "ban-drop-column" in {finding.rule for finding in found}


def test_command_reports_in_one_sentence_each(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plant('RemoveField("room", "name")')
    path = tmp_path / "released.txt"
    path.write_text("rooms 0001_initial\n" + migrations.released_file().read_text())
    monkeypatch.setattr(migrations, "released_file", lambda: path)

    with pytest.raises(CommandError) as raised:
        call_command("lint_migrations")

    assert (
        "rooms.0002_planted: ban-drop-column: former code still reads it: first release code "
        "without it\nWhere one does no harm, say so in the migration: `# accept RULE: REASON`."
    ) in str(raised.value)


def test_release_is_written_down(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plant('RemoveField("room", "name")')
    monkeypatch.setattr(migrations, "released_file", lambda: tmp_path / "released.txt")

    call_command("lint_migrations", "--release")

    assert ("rooms", "0002_planted") in migrations.read_released()
    call_command("lint_migrations")


def test_line_that_is_no_migration_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "released.txt"
    path.write_text("users\n")
    monkeypatch.setattr(migrations, "released_file", lambda: path)

    with pytest.raises(CommandError, match=r"released\.txt: 'users' is not an app and a migration"):
        call_command("lint_migrations")


def test_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(migrations, "released_file", lambda: tmp_path / "released.txt")

    with pytest.raises(CommandError, match=r"released\.txt is missing: write it with"):
        call_command("lint_migrations")
