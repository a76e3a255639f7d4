"""The imports of the project run one way: see also the contracts in pyproject.toml."""

from collections.abc import Iterable, Mapping
from functools import cache

import grimp
import pytest

ROOTS = ("dovetail", "apps", "config")


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Return what each module imports anywhere: in functions and for type checking too.

    Importing a module also runs the packages it is in, unless the importing module is in them.
    """
    graph = grimp.build_graph(*ROOTS, exclude_type_checking_imports=False, cache_dir=None)
    found = {}
    for module in graph.modules:
        imported = graph.find_modules_directly_imported_by(module)
        packages = {package for name in imported for package in packages_of(name)}
        found[module] = frozenset(imported | packages - {module, *packages_of(module)})
    return found


def packages_of(module: str) -> Iterable[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for imported in graph.get(module, ()):
            if imported not in index:
                visit(imported)
                low[module] = min(low[module], low[imported])
            elif imported in stack:
                low[module] = min(low[module], index[imported])
        if low[module] == index[module]:
            start = stack.index(module)
            component = sorted(stack[start:])
            del stack[start:]
            if len(component) > 1 or module in graph.get(module, ()):
                found.append(component)

    for module in graph:
        if module not in index:
            visit(module)
    return found


def test_circles_finds_modules_that_import_each_other() -> None:
    graph = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": [], "e": ["d"]}

    assert circles(graph) == [["a", "b", "c"]]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(imports()) == []


def test_nothing_imports_the_development_tools() -> None:
    tools = "dovetail.devtools"
    importers = [
        module
        for module, imported in imports().items()
        if not f"{module}.".startswith(f"{tools}.")
        and any(f"{name}.".startswith(f"{tools}.") for name in imported)
    ]

    assert importers == []


@pytest.mark.parametrize("foreign", ["apps", "config", "allauth"])
def test_kit_imports_neither_your_code_nor_settings_nor_allauth(foreign: str) -> None:
    graph = grimp.build_graph(
        "dovetail", include_external_packages=True, exclude_type_checking_imports=False,
        cache_dir=None,
    )  # fmt: skip
    importers = [
        module
        for module in graph.modules
        for name in graph.find_modules_directly_imported_by(module)
        if name.split(".")[0] == foreign
    ]

    assert importers == []
