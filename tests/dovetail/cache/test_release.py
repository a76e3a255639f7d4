from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dovetail.cache.release import release


@pytest.mark.parametrize("name", ["apps/orders/list.html", "apps/orders/views.py"])
def test_code_and_templates_make_another_release(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    """Kind: new pages with parts of the old release, for as long as those are kept."""
    settings.PROJECT_DIR = tmp_path
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    found = []
    for content in ("one", "two", "one"):
        file.write_text(content)
        release.cache_clear()
        found.append(release())
    release.cache_clear()

    assert found[0] == found[2] != found[1]
