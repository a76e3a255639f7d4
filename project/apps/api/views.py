from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView


# They change nothing, and answer other methods with 405, as all of the API does.
@method_decorator(csrf_exempt, name="dispatch")
class DocsView(TemplateView):
    """Swagger UI, to read about the API and to try it with one's own session."""

    template_name = "api/docs.html"


@method_decorator(csrf_exempt, name="dispatch")
class ReferenceView(TemplateView):
    """ReDoc, the reference to read."""

    template_name = "api/reference.html"
