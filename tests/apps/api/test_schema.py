"""The schema is what the app does, and docs/openapi.yaml is the schema."""

import inspect
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from rest_framework.serializers import Serializer
from rest_framework.test import APIClient

from apps.api.serializers.labelled import LabelledSerializer
from config.settings.parts.api import SPECTACULAR_SETTINGS
from dovetail.api.serializers import ModelSerializer, StrictMixin
from tests.repository import API_SCHEMA, api_schema

# In one worker, which generates the schema once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("contract")]

WRITE = "uv run project/manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"
SCHEMA = "/api/v1/schema/"
LIST = "/api/v1/articles/"
DECIDED_BY_VIEWS = (400, 401, 403, 404, 406, 412, 415, 428)


def test_committed_schema_is_current() -> None:
    output = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=output)

    assert output.getvalue().strip() == API_SCHEMA.read_text(encoding="utf-8").strip(), (
        f"docs/openapi.yaml is outdated. Write it again and commit it:\n{WRITE}"
    )


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in api_schema()["paths"].items()
        for method, operation in methods.items()
    ]


class TestServed:
    @pytest.mark.parametrize(
        ("query", "accept", "media_type"),
        [
            ("", "text/html,*/*;q=0.8", "application/json"),
            ("?format=yaml", "*/*", "application/yaml"),
            *(
                pytest.param(*other, marks=pytest.mark.long("renders it in another format"))
                for other in [
                    ("", "*/*", "application/json"),
                    ("", "application/yaml", "application/yaml"),
                    ("", "application/vnd.oai.openapi", "application/vnd.oai.openapi"),
                    ("", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
                    ("?format=json", "*/*", "application/json"),
                ]
            ),
        ],
    )
    def test_in_the_format_that_is_asked_for(
        self, api: APIClient, query: str, accept: str, media_type: str
    ) -> None:
        answer = api.get(SCHEMA + query, headers={"accept": accept})

        assert answer.status_code == HTTPStatus.OK
        assert answer["Content-Type"] == f"{media_type}; charset=utf-8"
        read: Callable[[str], Any] = json.loads if "json" in media_type else yaml.safe_load
        assert read(answer.content.decode()) == api_schema()

    def test_again_only_if_it_has_changed(self, api: APIClient) -> None:
        etag = api.get(SCHEMA)["ETag"]

        assert api.get(SCHEMA, headers={"if-none-match": etag}).status_code == 304
        assert api.get(f"{SCHEMA}?format=yaml")["ETag"] != etag

    @pytest.mark.parametrize("query", ["format=xml", "formt=yaml", "lang=de"])
    def test_not_with_other_parameters(self, api: APIClient, query: str) -> None:
        answer = api.get(f"{SCHEMA}?{query}")

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]

    def test_not_in_other_types(self, api: APIClient) -> None:
        answer = api.get(SCHEMA, headers={"accept": "image/png"})
        assert answer.status_code == HTTPStatus.NOT_ACCEPTABLE


class TestOperations:
    def test_have_names_of_their_own(self) -> None:
        names = [operation["operationId"] for _, _, operation in operations()]
        assert len(set(names)) == len(names)
        assert {"articleList", "articlePartialUpdate", "articleUnpublish"} <= set(names)
        assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)

    def test_say_in_a_sentence_what_they_do(self) -> None:
        summaries = [operation["summary"] for _, _, operation in operations()]
        assert not [summary for summary in summaries if re.search(r"[.\n]", summary)]
        bulk = api_schema()["paths"][f"{LIST}bulk/"]["post"]
        assert bulk["summary"] == "Create, change and delete several at once"
        assert bulk["description"].startswith("The results have the order of the operations.")

    def test_describe_their_own_rows(self) -> None:
        """Kind: a class without a docstring shows that of its base."""
        bases: set[str | None] = {
            inspect.getdoc(base)
            for base in (ModelSerializer, StrictMixin, Serializer, LabelledSerializer)
        }
        described = {
            name: schema.get("description")
            for name, schema in api_schema()["components"]["schemas"].items()
        }
        assert [name for name, told in described.items() if told in bases] == []
        assert described["Comment"] == "A comment on an article."

    def test_have_tags_with_a_description(self) -> None:
        described = {tag["name"] for tag in api_schema()["tags"] if tag["description"]}
        assert {tag for _, _, operation in operations() for tag in operation["tags"]} == described

    def test_take_enums_with_fixed_names(self) -> None:
        """Kind: another field with the same choices renames a type of generated clients."""
        enums = {
            name
            for name, schema in api_schema()["components"]["schemas"].items()
            if "enum" in schema
        }
        assert enums == set(SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"])  # type: ignore[call-overload]

    def test_document_every_kind_of_problem(self) -> None:
        for path, method, operation in operations():
            statuses = set(operation["responses"])
            assert {"400", "406", "500", "503"} <= statuses, path
            assert {"401", "403"} <= statuses or "/auth/" in path, path
            assert ("404" in statuses) == ("{" in path or "/auth/" in path), path
            assert ("415" in statuses) == ("requestBody" in operation), path
            assert ("413" in statuses) == (method != "get"), path

    def test_of_versions_document_preconditions(self) -> None:
        paths = api_schema()["paths"]
        detail = paths[f"{LIST}{{id}}/"]
        required = {"$ref": "#/components/parameters/If-Match-required"}
        for method in ("put", "patch", "delete"):
            assert required in detail[method]["parameters"]
            assert {"412", "428"} <= set(detail[method]["responses"])
        assert {"$ref": "#/components/parameters/If-None-Match"} in detail["get"]["parameters"]
        assert "ETag" in detail["get"]["responses"]["304"]["headers"]
        publication = paths[f"{LIST}{{id}}/publication/"]["put"]
        assert {"$ref": "#/components/parameters/If-Match"} in publication["parameters"]
        assert "428" not in publication["responses"]

    def test_say_which_need_no_sign_in(self) -> None:
        paths = api_schema()["paths"]
        assert {} in paths[LIST]["get"]["security"]
        assert {} not in paths[LIST]["post"]["security"]
        assert {} not in paths[f"{LIST}trash/"]["get"]["security"]

    def test_name_the_choices_of_parameters(self) -> None:
        parameters = {
            each["name"]: each for each in api_schema()["paths"][LIST]["get"]["parameters"]
        }
        assert parameters["expand"]["schema"]["items"]["enum"] == ["author"]
        assert "title" in parameters["fields"]["schema"]["items"]["enum"]
        assert "-title" in parameters["ordering"]["schema"]["enum"]
        assert parameters["status"]["schema"]["enum"] == ["draft", "published"]
        assert parameters["page_size"]["schema"]["maximum"] == 100


def test_problem_is_json_in_whatever_format_the_schema_is_asked_for(
    api: APIClient,
) -> None:
    answer = api.get("/api/v1/schema/?x=1", headers={"accept": "application/yaml"})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 400
