"""`{% load computed %}`: parts of pages that are kept. See docs/cache.md."""

from dovetail.cache.computed import version_of
from dovetail.templatetags import fragments

register = fragments.register

# {% version_of "articles" as version %}{% cache 300 newest version %}...{% endcache %}
register.simple_tag(version_of)
