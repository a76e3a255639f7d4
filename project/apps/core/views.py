from django.utils.decorators import method_decorator
from django.views.generic import TemplateView

from dovetail.cache.pages import for_visitors


@method_decorator(for_visitors("articles"), name="dispatch")
class HomeView(TemplateView):
    template_name = "core/home.html"
