"""System checks for what would make a soft deletion incomplete or irreversible."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core import checks
from django.db import models
from django.test.utils import isolate_apps

from dovetail.models import BaseModel, SoftDeleteManager, SoftDeleteModel
from tests.dovetail.shelves.models import Shelf

LABEL = "tests.dovetail.shelves"


def ids(model: Any) -> list[str]:
    return [str(message.id) for message in model.check() if str(message.id).startswith("dovetail")]


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    with isolate_apps(LABEL):
        yield


def test_models_of_the_project_pass() -> None:
    assert not checks.run_checks(app_configs=list(apps.get_app_configs()), tags=["models"])
    assert ids(Shelf) == []


def test_manager_that_does_not_filter_deleted_rows_is_an_error() -> None:
    class Plain(SoftDeleteModel):
        objects = models.Manager()  # type: ignore[assignment]

        class Meta:
            app_label = "shelves"

    class Unfiltered(SoftDeleteModel):
        objects: Any = SoftDeleteManager(with_deleted=True)

        class Meta:
            app_label = "shelves"

    assert ids(Plain) == ["dovetail.E002"]
    assert ids(Unfiltered) == ["dovetail.E002"]


def test_unique_value_that_a_deleted_row_keeps_is_a_warning() -> None:
    class ByConstraint(SoftDeleteModel):
        name = models.CharField(max_length=20)

        class Meta:
            app_label = "shelves"
            constraints = [models.UniqueConstraint(fields=["name"], name="taken_for_ever")]

    class ByField(SoftDeleteModel):
        name = models.CharField(max_length=20, unique=True)

        class Meta:
            app_label = "shelves"

    class OfAnotherCondition(SoftDeleteModel):
        name = models.CharField(max_length=20)

        class Meta:
            app_label = "shelves"
            constraints = [
                models.UniqueConstraint(
                    fields=["name"], condition=~models.Q(name=""), name="taken_for_ever_unless"
                )
            ]

    for model in (ByConstraint, ByField, OfAnotherCondition):
        assert ids(model) == ["dovetail.W003"]


def test_hard_child_that_a_soft_deletion_leaves_is_a_warning_unless_declared() -> None:
    class Parent(SoftDeleteModel):
        class Meta:
            app_label = "shelves"

    class SoftChild(SoftDeleteModel):
        parent = models.ForeignKey(Parent, on_delete=models.CASCADE)

        class Meta:
            app_label = "shelves"

    class Declared(BaseModel):
        survives_soft_deletion = ("parent",)
        parent = models.ForeignKey(Parent, on_delete=models.CASCADE)

        class Meta:
            app_label = "shelves"

    assert ids(Parent) == []

    class Child(BaseModel):
        parent = models.ForeignKey(Parent, on_delete=models.CASCADE)

        class Meta:
            app_label = "shelves"

    (message,) = (found for found in Parent.check() if found.id == "dovetail.W004")
    assert message.obj is Child
    assert "survives_soft_deletion" in str(message.hint)
