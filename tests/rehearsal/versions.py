"""Versions of the code: the one before, and planted ones that a release of it would bring."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.repository import ROOT

MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("articles", "{parent}")]
    operations = [
        {operation},
    ]
"""
# What becomes of the model. A release changes its class; here, that works for any class.
ADD_FIELD = """

models.CharField(max_length=20, {default}).contribute_to_class(Comment, "mood")
"""
RENAME_COLUMN = """

[_body] = [field for field in Comment._meta.local_fields if field.name == "body"]
_body.db_column = _body.column = "text"
"""
ADD = 'migrations.AddField("comment", "mood", models.CharField(max_length=20, {default}))'
RENAME = (
    'migrations.AlterField("comment", "body", models.TextField("comment", max_length=2000, '
    'db_column="text"))'
)
# A migration, and the end of the model's module.
EXPANDS = (
    ADD.format(default='db_default="", default=""'),
    ADD_FIELD.format(default='db_default="", default=""'),
)
RENAMES = (RENAME, RENAME_COLUMN)
REQUIRES = (ADD.format(default='default=""'), ADD_FIELD.format(default='default=""'))


def released(folder: Path, repository: Path = ROOT) -> Path | None:
    """Return the code of the last release, from its tag; None if the clone has none.

    It runs in the environment of the current code: what the release had locked is not installed.
    """
    git = ["git", "-C", str(repository)]
    described = subprocess.run(
        [*git, "describe", "--tags", "--abbrev=0", "HEAD^"],
        capture_output=True,
        text=True,
        check=False,
    )
    if described.returncode:
        return None
    archive = subprocess.run(
        [*git, "archive", described.stdout.strip(), "project"], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder / "project"


def planted(folder: Path, change: tuple[str, str]) -> Path:
    """Return the current code with one more migration of the comments, and what goes with it."""
    project = folder / "project"
    shutil.copytree(ROOT / "project", project, ignore=shutil.ignore_patterns("__pycache__"))
    articles = project / "apps" / "articles"
    if not articles.is_dir():
        pytest.skip("The app whose release is rehearsed has been removed: articles")
    operation, model = change
    parent = max(path.stem for path in (articles / "migrations").glob("0*.py"))
    text = MIGRATION.format(parent=parent, operation=operation)
    (articles / "migrations" / "9999_planted.py").write_text(text)
    with (articles / "models" / "comment.py").open("a") as file:
        file.write(model)
    return project
