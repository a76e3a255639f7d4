"""What every resource of an API has in common: errors, JSON, pages, filters, versions.

Own code around Django REST framework, where a standard or a promise of docs/api.md asks for more:
errors by RFC 9457, strict JSON, named errors for unknown parameters, `ETag` and `If-Match`.
"""
