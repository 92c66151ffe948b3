# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where a module may be changed, and to what: one place in each mutant. How mutants are run
is left to L{tools.mutants}.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

CHECKOUT: Final = Path(__file__).parent.parent

OTHER: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
}
"""By operator, what stands in its place."""


@attrs.frozen
class Mutant:
    """
    One change of one module.

    @ivar path: the module, in the checkout.
    @ivar shown: the lines before and after.
    """

    path: str
    function: str
    line: int
    source: bytes = attrs.field(repr=False)
    shown: str

    @property
    def key(self) -> str:
        """What names it in the list of the equivalents, also when lines have moved."""
        return f"{self.path} {self.function}: {self.shown}"


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """The changes of one node of the tree: what is replaced, and by what text."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            if type(operator) in OTHER:
                ops = [*node.ops]
                ops[number] = OTHER[type(operator)]()  # type: ignore[call-overload]
                yield node, ast.unparse(ast.Compare(node.left, ops, node.comparators))
    elif isinstance(node, ast.BoolOp):
        swapped: Any = OTHER[type(node.op)]()
        yield node, f"({ast.unparse(ast.BoolOp(swapped, node.values))})"
    elif isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        other: Any = OTHER[type(node.op)]()
        yield node, f"({ast.unparse(ast.BinOp(node.left, other, node.right))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield node, repr(value)
    if isinstance(node, (ast.If, ast.IfExp)):
        yield node.test, "True"
        yield node.test, "False"
    targets = [*getattr(node, "targets", [])] or [getattr(node, "target", None)]
    kept = isinstance(node, (ast.Assign, ast.AugAssign)) and isinstance(targets[0], ast.Name)
    called = isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await))
    left = (ast.Assign, ast.AugAssign, ast.Delete, ast.Raise, ast.Break, ast.Continue)
    early = isinstance(node, ast.Return) and node.value is None
    if called or early or (isinstance(node, left) and not kept):
        yield node, "pass"


def within(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """
    The nodes that may be changed, and their functions: what is in functions, without
    annotations and assertions.
    """
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST) and not isinstance(child, (ast.Assert, ast.JoinedStr)):
                isFunction = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
                inside = getattr(child, "name", function) if isFunction else function
                if inside:
                    yield child, inside
                yield from within(child, inside)


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of one module."""
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    for node, function in within(ast.parse(source)):
        for replaced, text in changes(node):
            place: Any = replaced
            begin = starts[place.lineno - 1] + place.col_offset
            end = starts[place.end_lineno - 1] + place.end_col_offset
            before = b"".join(lines[place.lineno - 1 : place.end_lineno])
            rest = len(lines[place.end_lineno - 1]) - place.end_col_offset
            changed = source[:begin] + text.encode() + source[end:]
            after = changed[starts[place.lineno - 1] : begin + len(text.encode()) + rest]
            shown = " => ".join(" ".join(part.decode().split()) for part in (before, after))
            yield Mutant(str(path.relative_to(CHECKOUT)), function, place.lineno, changed, shown)
