from django import forms

from apps.users.models import User
from dovetail.models.versions import VersionedModelForm


class ProfileForm(VersionedModelForm[User]):
    class Meta:
        model = User
        fields = ["display_name", "biography", "avatar"]
        widgets = {"biography": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "avatar": "JPEG, PNG, WebP or GIF, up to 5 MB. It will be cropped to a centered square."
        }
