"""Mutants of a module: each is one change of an expression or statement that a test should notice.

Not mutated, as no test should pin it: docstrings, annotations, prose of messages (arguments of exceptions other than
their fields), decorators, `__slots__`, assertions and ``strict=True``, protocols, and calls of `sys.intern` and `cast`.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
_PAIRS = (
    ("min", "max"), ("any", "all"), ("floor", "ceil"), ("minimum", "maximum"), ("argmin", "argmax"), ("amin", "amax"),
    ("zeros", "ones"), ("startswith", "endswith"), ("repeat", "repeat_interleave"), ("lower", "upper"), ("sin", "cos"),
    ("mean", "sum"), ("first", "second"), ("exp", "log"), ("zeros_like", "ones_like"),
)  # fmt: skip
_SWAPPED_CALLS = {**dict(_PAIRS), **{b: a for a, b in _PAIRS}}
_DROPPED_CALLS = {"strip", "sorted", "reversed", "abs", "round", "clip", "clamp", "detach", "copy"}
_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_SYMMETRIC_CALLS = {"min", "max", "minimum", "maximum", "logaddexp", "plus", "times"}
_FIELDS = {"key", "value", "kind", "file", "line_id"}  # of an error, that code decides by


@dataclass(frozen=True)
class Mutant:
    """A change of one line, or of a few, of a module.

    Attributes:
        path: of the module, in the repository.
        line: number of the first changed line.
        operator: what kind of change.
        start: position in the UTF-8 source.
        end: of what is replaced.
        new: what replaces it.
        old: what was there.
        occurrence: number of the same change before it in the module.
    """

    path: str
    line: int
    operator: str
    start: int
    end: int
    new: str
    old: str
    occurrence: int = 0

    @property
    def key(self) -> str:
        """Which mutant this is, whatever is edited elsewhere in the module."""
        return f"{self.path} {self.operator}: {self.old} -> {self.new} #{self.occurrence}"

    def apply(self, source: str) -> str:
        """Return the mutated source."""
        raw = source.encode()
        return (raw[: self.start] + self.new.encode() + raw[self.end :]).decode()

    @property
    def description(self) -> str:
        """One line for people."""
        return f"{self.path}:{self.line} {self.operator}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"


class _Generator:
    def __init__(self, path: str, source: str) -> None:
        self.path, self.raw = path, source.encode()
        self.offsets = [0]
        for text in self.raw.splitlines(keepends=True):
            self.offsets.append(self.offsets[-1] + len(text))
        self.found: list[Mutant] = []

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offsets[node.lineno - 1] + node.col_offset, self.offsets[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.raw[start:end].decode()

    def add(self, operator: str, node: ast.expr | ast.stmt, new: str) -> None:
        self.add_span(operator, *self.span(node), new)

    def add_span(self, operator: str, start: int, end: int, new: str) -> None:
        old = self.raw[start:end].decode()
        line = self.raw.count(b"\n", 0, start) + 1
        if new != old:
            mutant = Mutant(self.path, line, operator, start, end, new, old)
            try:
                ast.parse(mutant.apply(self.raw.decode()))
            except SyntaxError:
                return
            self.found.append(mutant)

    def negate(self, test: ast.expr) -> None:
        if isinstance(test, ast.UnaryOp) or (isinstance(test, ast.Compare) and not isinstance(test.ops[0], _ORDERS)):
            return  # removing "not", or the opposite comparison, does the same
        self.add("negated condition", test, f"not ({self.text(test)})")

    def expression(self, node: ast.expr) -> None:
        match node:
            case ast.Compare(left, [op, *_], [right, *_]):
                middle = self.span(left)[1], self.span(right)[0]
                between = self.raw[slice(*middle)].decode()
                token = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "In": "in",
                         "NotIn": "not in", "Is": "is", "IsNot": "is not"}[type(op).__name__]  # fmt: skip
                self.add_span("comparison", *middle, between.replace(token, _COMPARISONS[type(op)], 1))
            case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
                old, new = _ARITHMETIC[type(op)]
                middle = self.span(left)[1], self.span(right)[0]
                self.add_span("arithmetic", *middle, self.raw[slice(*middle)].decode().replace(old, new, 1))
            case ast.BoolOp(op, values):
                old, new = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
                middle = self.span(values[0])[1], self.span(values[1])[0]
                self.add_span("boolean", *middle, self.raw[slice(*middle)].decode().replace(old, new, 1))
            case ast.UnaryOp(_, operand):
                self.add("removed unary operator", node, f"({self.text(operand)})")
            case ast.Constant(value):
                self.constant(node, value)
            case ast.IfExp(test):
                self.negate(test)
            case ast.Call():
                self.call(node)

    def constant(self, node: ast.Constant, value: object) -> None:
        if isinstance(value, bool):
            self.add("constant", node, str(not value))
        elif isinstance(value, int):
            self.add("constant", node, f"({value} + 1)")
        elif isinstance(value, float):
            self.add("constant", node, "1.0" if value == 0 else f"({self.text(node)} * 2)")
        elif isinstance(value, str):
            self.add("constant", node, f'("XX" + {self.text(node)})' if value else '"XX"')

    def call(self, node: ast.Call) -> None:
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
        end = self.span(func)[1]
        if name in _SWAPPED_CALLS and ast.unparse(func) != "self.log":
            self.add_span("swapped call", end - len(name), end, _SWAPPED_CALLS[name])
        if (
            name in _DROPPED_CALLS
            and isinstance(func, ast.Attribute)
            and not isinstance(func.value, ast.Name | ast.Constant)
        ):
            self.add("removed call", node, f"({self.text(func.value)})")
        elif name in _DROPPED_CALLS and isinstance(func, ast.Name) and node.args:
            self.add("removed call", node, f"({self.text(node.args[0])})")
        for keyword in node.keywords:
            if keyword.arg not in (None, "remedy", "strict"):
                stop = self.span(keyword.value)[1]
                start = self.offsets[keyword.lineno - 1] + keyword.col_offset
                rest = self.raw[stop:].decode()
                lead = len(rest) - len(rest.lstrip())
                stop += lead + 1 if rest.lstrip().startswith(",") else 0
                self.add_span("removed argument", start, stop, "")
        if len(node.args) == 2 and not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args):
            first, second = node.args
            if name not in _SYMMETRIC_CALLS:
                self.add_span("swapped arguments", self.span(first)[0], self.span(second)[1],
                              f"{self.text(second)}, {self.text(first)}")  # fmt: skip

    def statement(self, node: ast.stmt, returns: str) -> None:
        match node:
            case ast.Expr(ast.Constant()):
                pass
            case ast.Expr() | ast.Raise() | ast.Continue():
                self.add("removed statement", node, "pass")
            case ast.Assign([ast.Subscript() | ast.Attribute()]):
                self.add("removed statement", node, "pass")
            case ast.AugAssign(target, op, value):
                self.add("removed statement", node, "pass")
                if type(op) in _ARITHMETIC:
                    old, new = _ARITHMETIC[type(op)]
                    middle = self.span(target)[1], self.span(value)[0]
                    self.add_span("arithmetic", *middle, self.raw[slice(*middle)].decode().replace(old, new, 1))
            case ast.If(test) | ast.While(test):
                self.negate(test)
            case ast.Return(value) if value is not None:
                new = {
                    "bool": "not ({})",
                    "int": "({}) + 1",
                    "float": "({}) + 1",
                    "str": '"XX" + ({})',
                    "Tensor": "({}) * 2",
                }
                if returns.startswith("list[") and self.text(value) != "[]":
                    self.add("return value", value, f"({self.text(value)})[:-1]")
                elif returns in new:
                    self.add("return value", value, new[returns].format(self.text(value)))


def _is_message(node: ast.Call) -> bool:
    """Whether a call makes an exception: its arguments are prose, but for its fields."""
    name = ast.unparse(node.func)
    if name.startswith(("log.", "logging.")) or name.endswith(("Error", "_error")):
        return True
    return name in ("_check", "self._check", "sys.intern", "cast")


def _walk(node: ast.AST, returns: str = "") -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield what may be mutated, with the annotated result of the function around it."""
    if isinstance(node, ast.ClassDef) and "Protocol" in {ast.unparse(base) for base in node.bases}:
        return
    if isinstance(node, ast.Assert | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.JoinedStr):  # formats and literal parts are text of a larger string
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield from _walk(value.value, returns)
        return
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.keyword) and node.arg == "strict":  # an assertion
        return
    if isinstance(node, ast.expr | ast.stmt):
        yield node, returns
    if isinstance(node, ast.Call) and _is_message(node):
        for keyword in node.keywords:
            if keyword.arg in _FIELDS:
                yield from _walk(keyword.value, returns)
        if ast.unparse(node.func) in ("_check", "self._check"):
            for value in node.args[:2]:
                yield from _walk(value, returns)
        return
    if isinstance(node, ast.FunctionDef):
        returns = ast.unparse(node.returns) if node.returns else ""
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
            yield from _walk(default, returns)
        for statement in node.body:
            yield from _walk(statement, returns)
        return
    if isinstance(node, ast.ClassDef):
        for statement in node.body:
            yield from _walk(statement, returns)
        return
    if isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _walk(node.value, returns)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, returns)


def find_mutants(path: str, source: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of its source."""
    generator = _Generator(path, source)
    tree = ast.parse(source)
    for node, returns in _walk(tree):
        if isinstance(node, ast.expr):
            generator.expression(node)
        else:
            generator.statement(node, returns)
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            for test in node.ifs:
                generator.negate(test)
    seen: dict[tuple[int, int, str], Mutant] = {(m.start, m.end, m.new): m for m in generator.found}
    counts: Counter[str] = Counter()
    mutants = []
    for mutant in sorted(seen.values(), key=lambda mutant: (mutant.start, mutant.end, mutant.new)):
        mutants.append(replace(mutant, occurrence=counts[mutant.key]))
        counts[mutant.key] += 1
    return mutants
