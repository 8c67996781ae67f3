"""What pymdc may say when something goes wrong, read off its source."""

import ast
import builtins
import functools
import itertools
import string
from pathlib import Path

from pymdc import _pem
from pymdc._http import failure

PACKAGE = Path(__file__).parent.parent.parent / "pymdc"

#: What is raised, by the names of the classes, and where among their arguments the text stands.
_PLACES = {name: 0 for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, Exception)}
_PLACES.update(dict.fromkeys((
    "ArgumentTypeError", "Away", "Broken", "ClickException", "Delayed", "Failure", "InDoubt", "InsecureTransport",
    "IntegrityError", "InvalidKey", "Misuse", "NoLogin", "Refused", "Timeout", "TransportError", "Unreachable",
    "UsageError",
), 0))
_PLACES.update(dict.fromkeys(("Refusal", "StoreAway", "Unruly"), 1))
_VARYING = {"…"}  # what an expression stands for that is not plain
_DEEPEST = 8
_FUNCTION = ast.FunctionDef, ast.AsyncFunctionDef


def texts() -> dict[str | None, list[str]]:
    """
    Return each text, with ``…`` for what varies, and the places in the source that say it.

    None stands for what is said in words of somebody else, such as another error's.
    """
    modules, said = {}, {}
    for name, tree in trees():
        modules[name] = _Module(tree, modules)
    for name, module in modules.items():
        for line, text in module.texts():
            said.setdefault(text, []).append(f"{name}:{line}")
    for text in (*(words for _, words, _ in failure._PERMANENT), *failure._WORDS.values(), _pem._NOTHING,
                 *(words for _, words in _pem._OTHERS)):
        said.setdefault(_shown(text), []).append("a table")
    return said


def unknown_classes() -> set[str]:
    """Return the public classes of errors that are not looked for, and have a text all the same."""
    defined = [each for _, tree in trees() for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    bases = {each.name: {_name(base) for base in each.bases} for each in defined}
    errors = {*_PLACES, "SQLAlchemyError"}
    while more := {name for name, of in bases.items() if of & errors} - errors:
        errors |= more
    return {name for name in errors & bases.keys() - _PLACES.keys() if not name.startswith("_")}


@functools.cache
def trees() -> list[tuple[str, ast.Module]]:
    """Return the name of each module of pymdc, as a path, and its tree."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return [(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))) for path in paths]


class _Module:
    """
    One module, and what its names stand for, as far as that is plain.

    :param modules: all of them, by their names.
    """

    def __init__(self, tree, modules):
        self._modules = modules
        self._constants = _assigned(tree.body)
        functions = [each for each in ast.walk(tree) if isinstance(each, _FUNCTION)]
        self._functions = {each.name: each for each in functions}
        self._own = {each: _own(each) for each in functions}
        self._assigned = {each: _assigned(own) for each, own in self._own.items()}
        self._around = {node: each for each, own in self._own.items() for node in own}
        self._own[None] = _own(tree)
        self._calls = {}
        for each in ast.walk(tree):
            if isinstance(each, ast.Call):
                self._calls.setdefault(_name(each.func), []).append(each)
        self._imported = {
            alias.name: each.module
            for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) for alias in each.names
        }

    def texts(self):
        for function, own in self._own.items():
            for node in own:
                expression = _said_by(node)
                if expression is not None:
                    for text in self._resolved(expression, function) or {None}:
                        yield node.lineno, text

    def _resolved(self, node, function, depth=0):
        """Return the texts that an expression in a function stands for; none where that is not plain."""
        if depth > _DEEPEST:  # names may go round in a circle
            return set()

        def inner(each):
            return self._resolved(each, function, depth + 1)

        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.IfExp():
                return inner(node.body) | inner(node.orelse)
            case ast.BinOp(op=ast.Add()):
                return _joined([inner(node.left), inner(node.right)])
            case ast.JoinedStr():
                return _joined(map(inner, node.values))
            case ast.FormattedValue(conversion=-1):
                return inner(node.value)
            case ast.Call(func=ast.Attribute(value=text, attr="strip")):
                return inner(text)
            case ast.Call(func=ast.Attribute(value=template, attr="format")):
                return {text for each in inner(template) for text in _filled(each, node.args, inner)}
            case ast.Call(func=ast.Name(id=name)):
                return self._returned(name, depth)
            case ast.Name(id=name):
                return self._named(name, function, depth)
        return set()

    def _returned(self, name, depth):
        """Return the texts that a function of this module, or one that it imports, returns."""
        home = self if name in self._functions else self._home_of(name)
        if home is None or name not in home._functions:
            return set()
        function = home._functions[name]
        values = [each.value for each in home._own[function] if isinstance(each, ast.Return) and each.value is not None]
        return set().union(*(home._resolved(value, function, depth + 1) for value in values))

    def _named(self, name, function, depth):
        values, inside = [], function
        if function is not None:
            values = self._assigned[function].get(name, [])
            if not values and name in (names := [each.arg for each in function.args.args]):
                return self._of_calls(function, names.index(name), name, depth)
        if not values:
            values, inside = self._constants.get(name, []), None
        if not values and depth <= _DEEPEST and (home := self._home_of(name)) is not None:
            return home._named(name, None, depth + 1)
        return _all_plain(self._resolved(value, inside, depth + 1) for value in values)

    def _of_calls(self, function, place, name, depth):
        """Return the texts that the calls of a function, wherever they are, hand in for one of its parameters."""
        arguments = function.args.args
        defaults = dict(zip([each.arg for each in reversed(arguments)], reversed(function.args.defaults)))
        place -= arguments[0].arg in ("self", "cls")
        modules = [self] if function.name.startswith("_") else self._modules.values()
        found = [text for module in modules for text in module._handed(function.name, place, name, depth)]
        if name in defaults:
            found.append(self._resolved(defaults[name], None, depth))
        return _all_plain(found)

    def _handed(self, called, place, name, depth):
        """Yield the texts of one argument, for each call here of what has this name."""
        for call in self._calls.get(called, ()):
            given = {**{each.arg: each.value for each in call.keywords}, **dict(enumerate(call.args))}
            for value in [given[key] for key in (place, name) if key in given]:
                yield self._resolved(value, self._around.get(value), depth + 1)

    def _home_of(self, name):
        """Return the module that a name is imported from."""
        module = (self._imported.get(name) or "").rpartition(".")[2]
        return next((each for path, each in self._modules.items()
                     if module and path.endswith((f"/{module}.py", f"/{module}/__init__.py"))
                     and each is not self and (name in each._constants or name in each._functions)), None)


def _said_by(node):
    """Return the expression that is the text, if this makes an error, or an answer that tells of one."""
    if isinstance(node, ast.Dict):
        said = [value for key, value in zip(node.keys, node.values) if getattr(key, "value", None) == "error"]
        return next((each for each in said if isinstance(each, (ast.Call, ast.Constant, ast.JoinedStr))), None)
    name = _name(node.func) if isinstance(node, ast.Call) else None
    if name == "tell":  # of a file that is left out
        return next((each for each in node.args[1:] if isinstance(each, (ast.Constant, ast.IfExp))), None)
    if name not in _PLACES:
        return None
    of_system = issubclass(getattr(builtins, name, Exception), OSError)
    place = 1 if of_system and len(node.args) > 1 else _PLACES[name]
    return node.args[place] if place < len(node.args) else None


def _name(function):
    return getattr(function, "id", getattr(function, "attr", None))


def _own(function):
    """Return what a function, or a module, consists of, without the functions in it."""
    found, waiting = [], list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, _FUNCTION):
            found.append(node)
            waiting.extend(ast.iter_child_nodes(node))
    return found


def _assigned(nodes):
    """Return the expressions that names are given, also by a loop over a table that stands there."""
    values = {}
    for node in nodes:
        pairs = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and isinstance(node.iter, ast.Tuple):
            pairs = [pair for row in node.iter.elts for pair in zip(node.target.elts, getattr(row, "elts", []))]
        for target, value in pairs:
            if isinstance(target, ast.Name):
                values.setdefault(target.id, []).append(value)
    return values


def _all_plain(found):
    found = list(found)
    return set().union(*found) if all(found) else set()


def _filled(template, arguments, inner):
    """Return a template for ``format`` with its fields filled."""
    parts = []
    for text, field, _, conversion in string.Formatter().parse(template):
        parts.append({text})
        if field is not None:
            plain = field.isdigit() and int(field) < len(arguments) and not conversion
            parts.append(inner(arguments[int(field)]) if plain else set())
    return _joined(parts)


def _joined(parts):
    return {"".join(each) for each in itertools.product(*(part or _VARYING for part in parts))}


def _shown(template):
    return "".join(_filled(template, [], None))
