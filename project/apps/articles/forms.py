from typing import Any

from django import forms

from apps.articles.models import Article, ArticleImport, Category, Comment
from apps.articles.models.comment import TOO_MANY
from dovetail.media.fields import StoresFilesMixin
from dovetail.models.versions import VersionedModelForm
from dovetail.storable import storable

UNAVAILABLE = "Your file couldn't be stored right now. Choose it again, and try it in a moment."


class ArticleForm(VersionedModelForm[Article]):
    class Meta:
        model = Article
        fields = ["title", "summary", "category", "body", "cover"]
        widgets = {
            "summary": forms.Textarea(attrs={"rows": 2}),
            "body": forms.Textarea(attrs={"rows": 16}),
        }


class ArticleImportForm(StoresFilesMixin, forms.ModelForm[ArticleImport]):
    # Not the model's, which limits the length of a name that is not kept.
    file = forms.FileField(
        label="CSV file",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"unavailable": UNAVAILABLE},
    )

    class Meta:
        model = ArticleImport
        fields = ["file"]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        self.instance.name = storable(file.name)[:100]
        return file


class CommentForm(VersionedModelForm[Comment]):
    class Meta:
        model = Comment
        fields = ["body"]
        widgets = {"body": forms.Textarea(attrs={"rows": 3})}

    def clean(self) -> dict[str, Any] | None:
        if self.instance._state.adding and Comment.is_limit_reached(self.instance.author):
            raise forms.ValidationError(TOO_MANY, code="flood")
        return super().clean()


ORDERS = [("", "Best match"), ("date", "Newest")]
MAX_WORDS = 200  # characters of a search


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Search",
        max_length=MAX_WORDS,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Search articles"}),
    )
    category = forms.ChoiceField(required=False, choices=[("", "All"), *Category.choices])
    author = forms.UUIDField(required=False)
    order = forms.ChoiceField(required=False, choices=ORDERS)
