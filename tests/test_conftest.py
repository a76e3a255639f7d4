"""How the tests are collected."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest


@pytest.mark.parametrize(
    ("worker", "order"), [("gw0", ["one", "two", "three"]), ("gw1", ["two", "three", "one"])]
)
def test_workers_import_modules_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str, order: list[str]
) -> None:
    """What fails is left to the collection, which reports it."""
    monkeypatch.syspath_prepend(tmp_path)
    for number, (name, end) in enumerate(
        [
            ("one", "raise SystemExit"),
            ("two", "pytest.skip(allow_module_level=True)"),
            ("three", ""),
        ]
    ):
        path = tmp_path / f"turns_{worker}" / f"test_{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"import builtins, pytest\nbuiltins.imported.append('{name}')\n{end}\n")
    imported: list[str] = []
    monkeypatch.setattr("builtins.imported", imported, raising=False)
    config: Any = SimpleNamespace(
        rootpath=tmp_path,
        args=[f"turns_{worker}", "missing", "/"],
        workerinput={"workerid": worker, "workercount": 2},
    )

    conftest._import_in_turn(config)  # noqa: SLF001 - a hook calls it

    assert imported == order
