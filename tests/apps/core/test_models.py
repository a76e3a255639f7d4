from django.apps import apps

from apps.core.models import BaseModel, SoftDeleteModel
from apps.users.models import User
from dovetail import models as kit


def test_base_classes_extend_the_kit() -> None:
    assert issubclass(BaseModel, kit.BaseModel)
    assert issubclass(SoftDeleteModel, (BaseModel, kit.SoftDeleteModel))


def test_every_model_of_the_project_extends_them() -> None:
    for config in apps.get_app_configs():
        if config.name.startswith("apps."):
            for model in config.get_models():
                assert issubclass(model, BaseModel), model
    assert issubclass(User, BaseModel)
