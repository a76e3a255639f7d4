from django.views.generic import TemplateView


class DocsView(TemplateView):
    """Swagger UI, to read about the API and to try it with one's own session."""

    template_name = "api/docs.html"


class ReferenceView(TemplateView):
    """ReDoc, the reference to read."""

    template_name = "api/reference.html"
