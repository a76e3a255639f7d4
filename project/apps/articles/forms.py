from typing import Any

from django import forms

from apps.articles.models import Article, Category, Comment
from dovetail.models.versions import VersionedModelForm


class ArticleForm(VersionedModelForm[Article]):
    class Meta:
        model = Article
        fields = ["title", "summary", "category", "body", "cover"]
        widgets = {
            "summary": forms.Textarea(attrs={"rows": 2}),
            "body": forms.Textarea(attrs={"rows": 16}),
        }


class CommentForm(VersionedModelForm[Comment]):
    class Meta:
        model = Comment
        fields = ["body"]
        widgets = {"body": forms.Textarea(attrs={"rows": 3})}

    def clean(self) -> dict[str, Any] | None:
        if self.instance._state.adding and Comment.is_limit_reached(self.instance.author):
            raise forms.ValidationError(
                "You have posted a lot of comments in a short time. Please wait a minute.",
                code="flood",
            )
        return super().clean()


ORDERS = [("", "Best match"), ("date", "Newest")]


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Search",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Search articles"}),
    )
    category = forms.ChoiceField(required=False, choices=[("", "All"), *Category.choices])
    author = forms.UUIDField(required=False)
    order = forms.ChoiceField(required=False, choices=ORDERS)
