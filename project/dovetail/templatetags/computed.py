"""`{% load computed %}`: fragments of pages that expire when rows change. See docs/cache.md."""

from django import template

from dovetail.cache.computed import version_of

register = template.Library()

# {% version_of "articles" as version %}{% cache 300 newest version %}...{% endcache %}
register.simple_tag(version_of)
