"""Examples of requests and answers, for the schema.

tests/apps/api/test_examples.py sends the requests to the app, and compares its answers with these.
"""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample

from dovetail.api.etags import PreconditionFailed
from dovetail.api.problems import MEDIA_TYPE, problem, problem_of

ADA = "01936c2e-7d54-7cc3-98c4-dc0c0c07398f"
ARTICLE_ID = "01936c2e-9a10-7f0e-8a51-0d5a3f6b7c21"
OTHER_ID = "01936c2f-1b02-7d4c-b0f3-6e1f2a9d8c47"
COMMENT_ID = "01936c30-44c8-7a6b-9d2e-5b7c1e0f3a92"
TOKEN_ID = "01936c31-0a77-7e35-8c1d-2f4b6d8e9a03"  # noqa: S105 - of its row
EXPORT_ID = "01936c32-5be1-7b90-a4c6-7d3e9f1b2a58"
SITE = "https://site.example"
CREATED, CHANGED = "2026-11-27T09:30:00.125000Z", "2026-11-27T10:15:42.031000Z"
ETAG = '"9f86d081884c7d659a2f.e3b0c44298fc1c149afb"'
TIMES = {"created_at": CREATED, "updated_at": CHANGED}


def sent(name: str, value: Any) -> OpenApiExample:
    """Return an example of a request."""
    return OpenApiExample(name, value, request_only=True)


def answered(name: str, value: Any, status: int | None = None) -> OpenApiExample:
    """Return an example of an answer; of one row of a list, where the answer is one."""
    return OpenApiExample(
        name,
        value,
        response_only=True,
        status_codes=[status] if status else None,
        media_type=MEDIA_TYPE if status and status >= HTTPStatus.BAD_REQUEST else None,
    )


PERSON = {"id": ADA, "name": "Ada Lovelace", "avatar": None}
NEW_ARTICLE = {"title": "On joints", "body": "Wood holds wood.", "category": "design"}
NEW_TITLE = {"title": "On dovetails"}
SUMMARY = {
    "id": ARTICLE_ID,
    "title": "On joints",
    "slug": "on-joints",
    "summary": "",
    "category": "design",
    "status": "published",
    "cover": f"{SITE}/media/covers/4f9d2a7c.webp",
    "cover_variants": [
        {
            "name": "card",
            "width": 800,
            "type": "image/avif",
            "url": f"{SITE}/media/covers/4f9d2a7c.webp.card.avif",
        }
    ],
    "author": ADA,
    "comment_count": 3,
    "page": "/articles/on-joints/",
    "published_at": "2026-11-27T09:45:00Z",
    **TIMES,
}
TEXT = {"body": "Wood holds wood."}
ARTICLE = SUMMARY | TEXT
NEW_SUMMARY = SUMMARY | {
    "status": "draft",
    "cover": None,
    "cover_variants": [],
    "comment_count": 0,
    "published_at": None,
}
DRAFT = NEW_SUMMARY | TEXT

COMMENT = {
    "id": COMMENT_ID,
    "article": ARTICLE_ID,
    "author": ADA,
    "body": "Well cut.",
    "is_removed": False,
    "page": f"/articles/on-joints/comments/{COMMENT_ID}/",
    **TIMES,
}

BULK = {
    "atomic": False,
    "operations": [
        {"method": "create", "fields": NEW_ARTICLE},
        {"method": "update", "id": ARTICLE_ID, "if_match": ETAG, "fields": NEW_TITLE},
        {"method": "delete", "id": OTHER_ID, "if_match": ETAG},
    ],
}
RESULTS = {
    "results": [
        {
            "status": 201,
            "location": f"{SITE}/api/v1/articles/{ARTICLE_ID}/",
            "etag": ETAG,
            "body": NEW_SUMMARY,
        },
        {"status": 200, "etag": ETAG, "body": SUMMARY | NEW_TITLE},
        {"status": 204},
    ]
}

UNDONE = {
    "status": 424,
    "problem": problem(424, "This would have been done, but another operation failed."),
}
FAILED_BULK = problem(
    422, "Nothing was saved, because 1 of 3 operations failed.", "operations_failed"
) | {"results": [UNDONE, UNDONE, {"status": 412, "problem": problem_of(PreconditionFailed(), 412)}]}

FOUND = {name: value for name, value in SUMMARY.items() if name != "comment_count"} | {
    "author": PERSON,
    "snippet": [
        {"text": "Wood holds ", "is_hit": False},
        {"text": "wood", "is_hit": True},
        {"text": ".", "is_hit": False},
    ],
}
SEARCH = {
    "count": 1,
    "next": None,
    "previous": None,
    "suggestion": "",
    "facets": {
        "category": [{"value": "design", "label": "Design", "count": 1, "is_chosen": False}],
        "author": [{"value": ADA, "label": "Ada Lovelace", "count": 1, "is_chosen": False}],
    },
    "results": [FOUND],
}
CATEGORY = {"value": "design", "label": "Design", "article_count": 12}
FIGURES = {
    "article_count": 12,
    "author_count": 4,
    "categories": [{"category": "design", "label": "Design", "count": 12}],
    "authors": [{"author": ADA, "name": "Ada Lovelace", "count": 5}],
    "weeks": [{"week": "2026-11-23", "count": 2}],
}

PROFILE = {
    **PERSON,
    "biography": "Writes about joints.",
    "article_count": 5,
    "page": f"/people/{ADA}/",
    "joined_at": CREATED,
}
ME = {
    "id": ADA,
    "email": "ada@example.org",
    "name": "Ada Lovelace",
    "display_name": "Ada Lovelace",
    "biography": "Writes about joints.",
    "avatar": None,
    "page": f"/people/{ADA}/",
    "joined_at": CREATED,
    "updated_at": CHANGED,
}
NEW_PROFILE = {"display_name": "Ada Lovelace", "biography": "Writes about joints."}
ADDRESS = {"email": "ada@example.org", "is_verified": True, "is_primary": True}
EXPORT = {
    "id": EXPORT_ID,
    "is_ready": False,
    "created_at": CREATED,
    "expires_at": "2026-12-04T09:30:00.125000Z",
}
NOTIFICATION = {
    "id": "01936c33-6d0f-7c12-8b7a-1e5f9d3c2b64",
    "kind": "articles.commentnotification",
    "text": "Ada Lovelace commented on On joints",
    "read_at": None,
    "created_at": CREATED,
    "comment": COMMENT
    | {
        "author": PERSON,
        "article": {"id": ARTICLE_ID, "title": "On joints", "page": "/articles/on-joints/"},
    },
}

NEW_TOKEN = {
    "name": "Backup",
    "scopes": ["articles:read", "comments:read"],
    "expires_at": "2027-05-31T00:00:00Z",
}
TOKEN = {
    "id": TOKEN_ID,
    **NEW_TOKEN,
    "start": "dvt_Xf3k",
    "last_used_at": None,
    "created_at": CREATED,
}
CREATED_TOKEN = TOKEN | {"token": "dvt_Xf3k…"}

SIGN_IN = {"email": "ada@example.org", "password": "a-joint-of-wood-29"}
SECOND_FACTOR = {"sign_in_token": "eyJhbGciOiJIUzI1NiJ9…", "code": "492039"}
SECOND_FACTOR_NEEDED = {
    "sign_in_token": "eyJhbGciOiJIUzI1NiJ9…",
    "types": ["totp", "recovery_codes"],
}
REFRESH = {"refresh_token": "eyJhbGciOiJIUzI1NiJ9…"}
TOKENS = {
    "access_token": "eyJhbGciOiJIUzI1NiJ9…",
    "refresh_token": "eyJhbGciOiJIUzI1NiJ9…",
    "expires_in": 300,
}
