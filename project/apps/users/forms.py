from django import forms

from apps.core.images import clean_image
from apps.users.models import User


class ProfileForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ["display_name", "biography", "avatar"]
        widgets = {"biography": forms.Textarea(attrs={"rows": 4})}

    def clean_avatar(self) -> object:
        avatar = self.cleaned_data["avatar"]
        return clean_image(avatar) if "avatar" in self.files and avatar else avatar
