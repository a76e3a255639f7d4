from contextlib import closing
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

LARGE = 3 * 1024 * 1024  # bytes; Django writes it to a temporary file


@pytest.mark.parametrize("name", ["a." + "木" * 86, "a." + "x" * 300, "a", "😀.png", "a.p\x00ng"])
def test_name_of_a_large_upload_decides_no_path(name: str, rf: RequestFactory) -> None:
    """Kind: part of an uploaded file's name ends up in a path on the server."""
    request: Any = rf.post("/", {"file": SimpleUploadedFile(name, bytes(LARGE))})

    with closing(request):
        file = request.FILES["file"]
        assert file.size == LARGE
        assert file.temporary_file_path().endswith(".upload")
