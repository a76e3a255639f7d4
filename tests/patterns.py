"""Finds the regular expressions of the project, and text that is hard for each of them."""

import ast
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, TypeGuard

import apps
import config
import dovetail as kit

# They are not public, and not typed.
op, parser = import_module("re._constants"), import_module("re._parser")
METHODS = {"findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn"}
# They cannot be imported beside the settings of the tests, and use no regular expressions.
SETTINGS = "config.settings."
PROGRAMS = ("config.asgi", "__main__")
# Ends of a text, one of which does not match: a symbol, a letter, the end of a line.
ENDS = ("!", "a", "\n")


@dataclass(frozen=True)
class Use:
    """A regular expression and a method that the project calls on it.

    Attributes:
        where: the module and the line.
        method: such as "fullmatch".
    """

    where: str
    pattern: re.Pattern[str]
    method: str

    def __call__(self, text: str) -> None:
        run = getattr(self.pattern, self.method)
        result = run("", text) if self.method in {"sub", "subn"} else run(text)
        if self.method == "finditer":
            list(result)


def project_modules() -> Iterator[tuple[ModuleType, ast.Module]]:
    """Import and parse each module of the project, except those that only start it."""
    for package in (apps, config, kit):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            source = _source(found)
            if found.name.startswith(SETTINGS) or found.name.endswith(PROGRAMS):
                assert "import re\n" not in source, f"{found.name}: its patterns are not tested"
                continue
            yield import_module(found.name), ast.parse(source)


def uses() -> list[Use]:
    """Return all uses of regular expressions in the project.

    Raises:
        NameError: an expression depends on variables of a function, so that it cannot be tested.
            Build it from constants of the module.
    """
    found: list[Use] = []
    modules = list(project_modules())
    nodes = {module: list(ast.walk(tree)) for module, tree in modules}
    called = _calls(node for of_module in nodes.values() for node in of_module)
    for module, of_module in nodes.items():
        names = {
            id(node.value): target.id
            for node in of_module
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in filter(_is_call_of_re, of_module):
            where = f"{module.__name__}:{node.lineno}"
            if node.func.attr == "compile":
                pattern = _value(node, module)
                methods = called.get(names.get(id(node), "")) or METHODS
            else:
                pattern = re.compile(_value(node.args[0], module), _flags(node, module))
                methods = {node.func.attr}
            found += [Use(where, pattern, method) for method in sorted(methods)]
    return found


def hard_texts(pattern: re.Pattern[str], length: int) -> Iterator[str]:
    """Yield text that nearly matches a pattern, for each of its unbounded repetitions.

    That is much of what is repeated, much of what comes before, and many whole matches.
    """
    tree = parser.parse(pattern.pattern, pattern.flags)
    pairs = [("", _sample(tree))]
    for before, body in _repetitions(tree):
        pairs += [(before, body), ("", before + body), ("", before)]
    for start, unit in dict.fromkeys(pairs):
        for end in ENDS:
            yield fill(start, unit, length, end)


def fill(start: str, unit: str, length: int, end: str) -> str:
    """Return a text of some length: the start, then the unit as often as it fits, then the end."""
    times = max(length - len(start), 0) // (len(unit) or 1) + 1
    return (start + (unit or "a") * times)[: length - len(end)] + end


def _source(found: pkgutil.ModuleInfo) -> str:
    loader: Any = found.module_finder.find_spec(found.name, None).loader  # type: ignore[union-attr]
    return str(loader.get_source(found.name))


def _is_call_of_re(node: ast.AST) -> TypeGuard[Any]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in METHODS | {"compile"}
    )


def _value(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), module.__name__, "eval"), dict(vars(module)))  # noqa: S307


def _flags(call: ast.Call, module: ModuleType) -> re.RegexFlag:
    given = [*call.args[2:], *(keyword.value for keyword in call.keywords)]
    flags = [node for node in given if ast.unparse(node).startswith("re.")]
    return re.RegexFlag(_value(flags[0], module) if flags else 0)


def _calls(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    """Return the methods of patterns that the project calls on each name.

    What is called on a variable is called on the names that are assigned to it, too.
    """
    called: dict[str, set[str]] = {}
    assigned: dict[str, set[str]] = {}  # the variables, by the name
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            variables = {target.id for target in node.targets if isinstance(target, ast.Name)}
            assigned.setdefault(node.value.id, set()).update(variables)
        elif isinstance(node, ast.Attribute) and node.attr in METHODS:
            name = getattr(node.value, "id", getattr(node.value, "attr", ""))
            called.setdefault(name, set()).add(node.attr)
    return {
        name: {
            method
            for known in {name} | assigned.get(name, set())
            for method in called.get(known, set())
        }
        for name in called.keys() | assigned.keys()
    }


def _repetitions(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield what comes before each unbounded repetition, and what it repeats."""
    for index, (kind, argument) in enumerate(tree):
        prefix = before + _sample(tree[:index])
        if kind in {op.MAX_REPEAT, op.MIN_REPEAT}:
            _, most, body = argument
            if most is op.MAXREPEAT:
                yield prefix, _sample(body)
            yield from _repetitions(body, prefix)
        elif kind is op.SUBPATTERN:
            yield from _repetitions(argument[-1], prefix)
        elif kind is op.BRANCH:
            for branch in argument[1]:
                yield from _repetitions(branch, prefix)


def _sample(tree: Any) -> str:
    """Return text that matches a parsed pattern, whose repetitions occur as rarely as possible."""
    return "".join(_sample_of(kind, argument) for kind, argument in tree)


def _sample_of(kind: Any, argument: Any) -> str:
    if kind in {op.MAX_REPEAT, op.MIN_REPEAT}:
        least, most, body = argument
        times: int = max(least, min(most, 1))
        return _sample(body) * times
    if kind is op.SUBPATTERN:
        return _sample(argument[-1])
    if kind is op.BRANCH:
        return _sample(argument[1][0])
    if kind is op.LITERAL:
        return str(chr(argument))
    if kind in {op.IN, op.NOT_LITERAL, op.ANY}:
        members = [(kind, argument)] if kind is not op.IN else argument
        found = filter(lambda character: _is_in(members, character), _candidates(members))
        return str(next(found))
    return ""  # an assertion, which takes no text


def _candidates(members: Any) -> str:
    named = [value for kind, value in members if kind is op.LITERAL]
    starts = [value[0] for kind, value in members if kind is op.RANGE]
    return "a1 -!\u00e9" + "".join(map(chr, [*named, *starts]))


def _is_in(members: Any, character: str) -> bool:
    code = ord(character)
    negated = any(kind is op.NEGATE for kind, _ in members)
    found = any(
        kind is op.ANY
        or (kind is op.LITERAL and value == code)
        or (kind is op.NOT_LITERAL and value != code)
        or (kind is op.RANGE and value[0] <= code <= value[1])
        or (kind is op.CATEGORY and re.match(CATEGORIES[value], character))
        for kind, value in members
    )
    return found is not negated


CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
