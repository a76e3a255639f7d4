from django import forms
from django.db import transaction

from apps.users.models import User
from apps.users.tasks import make_small_avatar
from dovetail.media.images import clean_image

AVATAR = 512  # pixels


class ProfileForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ["display_name", "biography", "avatar"]
        widgets = {"biography": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "avatar": "JPEG, PNG, WebP or GIF, up to 5 MB. It will be cropped to a centered square."
        }

    def clean_avatar(self) -> object:
        avatar = self.cleaned_data["avatar"]
        return clean_image(avatar, square=AVATAR) if "avatar" in self.files and avatar else avatar

    def save(self, commit: bool = True) -> User:
        """Save the profile. For a new avatar, delete the old file and queue the small variant."""
        storage, old = self.instance.avatar.storage, self.initial.get("avatar")
        user: User = super().save(commit)
        if "avatar" in self.changed_data:
            if old:
                transaction.on_commit(lambda: storage.delete(old.name), robust=True)
            # If the broker is down, pages show the large variant.
            transaction.on_commit(lambda: make_small_avatar.delay(str(user.pk)), robust=True)
        return user
