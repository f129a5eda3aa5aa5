"""From the text of a formula to a SymPy expression, without ever running the text."""

import ast
import keyword
import math
import re
import warnings
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

import sympy as sp
from sympy.core.parameters import distribute

from paramfit.errors import InputError
from paramfit.formulas.elementary import CONSTANTS, FUNCTIONS, Power, Total, is_finite, number
from paramfit.wording import nearest_names

__all__ = ["names_in", "parse_expression"]

_LONGEST = 2000  # characters
_DEEPEST = 30  # calls, powers, products, sums within each other
_LARGEST_EXPONENT = 100
_SYNTAX = "a formula has numbers, names, + - * / ** (or ^), brackets, and calls such as exp(x)"
_OF_ANY_NUMBER = (FUNCTIONS["min"], FUNCTIONS["max"])
_SIGNS = {ast.Add: 1, ast.Sub: -1}
_WORD = "_word_"  # before a word of Python's that is a name here; no name begins with an underscore


def parse_expression(text: str, names: Collection[str]) -> Any:
    """The formula as a SymPy expression of real symbols called ``names``.

    Python's own parser takes the text apart; every piece is looked at before SymPy sees it. Constants are computed in
    float64 as they are met, sums keep the order in which they were written, and nothing is expanded.

    Args:
        text: numbers, names, ``+ - * / **``, brackets and calls of the functions in ``FUNCTIONS``; ``^`` is a power
            too. ``pi`` and ``e`` are constants unless they are among the names. A name before a bracket is a function.
        names: of variables and parameters, as ``as_names`` gives them.

    Raises:
        InputError: for anything else in the text, an unknown name, a number that is not real and finite, or a formula
            that is too long or too deep.

    Example:
        >>> parse_expression("b1 * (1 - exp(-b2 * x))", ["x", "b1", "b2"])
        b1*(1 - exp(-b2*x))
    """
    if not isinstance(text, str):
        _refuse(f"expected text, but got {type(text).__name__}")
    if len(text) > _LONGEST:
        _refuse(f"{len(text)} characters are too many; {_LONGEST} are allowed. A FunctionModel takes a Python function")
    line = " ".join(text.split())
    if not line:
        _refuse("there is none")
    if "#" in line:
        _refuse("a formula has no comment, but there is a '#'")
    line = _with_words(line, names).replace("^", "**")
    tree = _tree(line)
    with distribute(False):
        return _Reader(line, names).value(tree, 0)


def names_in(text: str) -> list[str]:
    """The names in a formula that are no functions, in their order, constants among them; none where it is no formula.

    Example:
        >>> names_in("exp(a + lambda * e) / exp")
        ['a', 'lambda', 'e', 'exp']
    """
    for line in (_with_words(text, keyword.kwlist), text):
        try:
            tree = ast.parse(line.replace("^", "**"), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
        return list(dict.fromkeys(node.id.removeprefix(_WORD) for node in nodes))
    return []


def _with_words(line: str, names: Collection[str]) -> str:
    """The line with those words of Python's that are names made ones for its parser."""
    words = [name for name in names if keyword.iskeyword(name)]
    return re.sub(rf"(?<![\w.])({'|'.join(words)})(?!\w)", rf"{_WORD}\1", line) if words else line


def _refuse(reason: str) -> NoReturn:
    raise InputError(f"formula: {reason}")


def _tree(line: str) -> ast.expr:
    """The syntax tree; ``^`` is read as a power, with a power's precedence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on its own syntax
            return ast.parse(line, mode="eval").body
    except (RecursionError, MemoryError):
        _refuse("it is too deep; use fewer brackets within each other")
    except (SyntaxError, ValueError):
        if "=" in line:
            _refuse(f"{_clipped(line)} has an equals sign; give the right-hand side alone")
        _refuse(f"{_clipped(line)} is not an expression; {_SYNTAX} (a product needs its sign: 2*x)")


def _clipped(piece: str) -> str:
    piece = piece.replace(_WORD, "")
    return repr(piece if len(piece) <= 60 else piece[:57] + "...")


class _Reader:
    """Turns one kind of node after the other into SymPy, and refuses all other kinds."""

    def __init__(self, line: str, names: Collection[str]) -> None:
        self.source = line.encode()
        self.symbols: Mapping[str, Any] = {name: sp.Symbol(name, real=True) for name in names}

    def piece(self, node: ast.expr) -> str:
        return _clipped(self.source[node.col_offset : node.end_col_offset].decode())

    def value(self, node: ast.expr, depth: int) -> Any:
        if depth > _DEEPEST:
            _refuse(f"it is too deep; at most {_DEEPEST} operations within each other")
        expression = self.computed(node, depth)
        if expression.is_number:
            expression = number(expression)
        if not is_finite(expression):
            _refuse(f"{self.piece(node)} is not a real, finite number")
        return expression

    def computed(self, node: ast.expr, depth: int) -> Any:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self.constant(node, value)
            case ast.Name(id=name):
                return self.name(name.removeprefix(_WORD))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand, depth + 1)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.total(node, depth)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self.product(node, depth)
            case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
                return self.power(node, self.value(base, depth + 1), self.value(exponent, depth + 1))
            case ast.Call(func=ast.Name(id=name)):
                return self.call(node, name.removeprefix(_WORD), depth)
        _refuse(f"{self.piece(node)} is not allowed; {_SYNTAX}")

    def constant(self, node: ast.expr, value: float) -> Any:
        try:
            close = float(value)
        except OverflowError:
            close = math.inf
        if not math.isfinite(close):
            _refuse(f"{self.piece(node)} is too large a number")
        return sp.Integer(value) if isinstance(value, int) else sp.Float(value)

    def name(self, name: str) -> Any:
        if name in self.symbols:
            return self.symbols[name]
        if name in CONSTANTS:
            return sp.Float(CONSTANTS[name])
        if name in FUNCTIONS:
            _refuse(f"the function {name} needs its argument in brackets: {name}(...)")
        everything = f"there are {_listed(self.symbols)}"
        elsewhere = nearest_names(name, [*FUNCTIONS, *CONSTANTS], everything, most=1)
        hint = nearest_names(name, self.symbols, elsewhere, most=2)
        _refuse(f"{_clipped(name)} is neither a variable nor a parameter; {hint}")

    def total(self, node: ast.expr, depth: int) -> Any:
        terms = []
        while isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:  # a loop: a long sum is not a deep one
            terms.append(_SIGNS[type(node.op)] * self.value(node.right, depth + 1))
            node = node.left
        terms.append(self.value(node, depth + 1))
        return Total(*reversed(terms))

    def product(self, node: ast.expr, depth: int) -> Any:
        factors = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            factor = self.value(node.right, depth + 1)
            if isinstance(node.op, ast.Div):
                if factor == 0:
                    _refuse(f"{self.piece(node)} divides by 0")
                factor = 1 / factor
            factors.append(factor)
            node = node.left
        factors.append(self.value(node, depth + 1))
        return sp.Mul(*reversed(factors))

    def power(self, node: ast.expr, base: Any, exponent: Any) -> Any:
        if exponent.is_number and abs(float(exponent)) > _LARGEST_EXPONENT:
            _refuse(f"{self.piece(node)} has an exponent above {_LARGEST_EXPONENT}")
        if base.is_number and not exponent.is_number:
            if base <= 0:
                _refuse(f"{self.piece(node)} is a power of {float(base):g}; only one of a number above 0 is real")
            if float(base) == math.e:
                return FUNCTIONS["exp"](exponent)
        return Power(base, exponent)

    def call(self, node: ast.Call, name: str, depth: int) -> Any:
        if name not in FUNCTIONS:
            if name in self.symbols or name in CONSTANTS:
                _refuse(f"{name} is not a function; for a product write {name}*(...)")
            hint = nearest_names(name, FUNCTIONS, f"there are {_listed(FUNCTIONS)}", most=2)
            _refuse(f"there is no function {_clipped(name)}; {hint}")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            _refuse(f"{self.piece(node)}: arguments are given one after the other, without names or stars")
        function = FUNCTIONS[name]
        (count,) = function.nargs
        arguments = [self.value(argument, depth + 1) for argument in node.args]
        while function in _OF_ANY_NUMBER and len(arguments) > count:
            arguments = [*arguments[2:], function(*arguments[:2])]  # a queue: nested no deeper than it must be
        if len(arguments) != count:
            _refuse(f"{self.piece(node)}: {name} takes {count} argument{'s'[: count - 1]}, but got {len(arguments)}")
        return function(*arguments)


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"
