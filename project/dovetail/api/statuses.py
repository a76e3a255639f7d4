"""How statuses are called, in titles and codes of problems and in the schema.

Own code because Python calls some of them differently from one version to the next, and clients
compare the codes.
"""

from http import HTTPStatus

# By RFC 9110, as Python has them from 3.13 on.
RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def phrase(status: int) -> str:
    """Return the name of a status, such as "Not Found"."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


def code(status: int) -> str:
    """Return the name of a status for programs, such as "not_found"."""
    return phrase(status).lower().replace(" ", "_").replace("-", "_")
