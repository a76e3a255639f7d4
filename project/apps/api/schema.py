"""What drf-spectacular cannot see in the code. Loaded by `ApiConfig.ready`."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from dovetail.api.scopes import needed_scope


class AccessTokenScheme(OpenApiAuthenticationExtension):
    """Describes access tokens in the schema, with the scope that each operation needs."""

    target_class = "apps.api.authentication.TokenAuthentication"
    name = "accessToken"

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[Any]]:
        if not hasattr(auto_schema.view, "scope"):
            return {self.name: []}
        return {self.name: [needed_scope(auto_schema.view, auto_schema.method)]}

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        del auto_schema
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": f"{settings.ACCESS_TOKEN_PREFIX}…",
            "description": "A personal access token, from the settings of your account.",
        }
