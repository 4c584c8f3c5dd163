"""Parses the filter language of Logging and Monitoring into a tree; knows no field and evaluates nothing."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from .errors import ApiError, invalid

MAX_FILTER_CHARACTERS = 20_000
_SEGMENT = re.compile(r'"(?:\\.|[^"\\])*"|[^."]+')


@dataclass(frozen=True, kw_only=True)
class Literal:
    """A value as it was written; `quoted` ones are never numbers or wildcards."""

    text: str
    quoted: bool
    column: int


@dataclass(frozen=True, kw_only=True)
class Call:
    """A function call such as `log_id("…")`."""

    name: str
    arguments: tuple[Literal, ...]
    column: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`path operator value`."""

    path: tuple[str, ...]
    operator: str
    value: Literal | Call
    column: int


@dataclass(frozen=True, kw_only=True)
class Anywhere:
    """A value on its own: it may occur in any field."""

    value: Literal


@dataclass(frozen=True, kw_only=True)
class Not:
    """Negation."""

    operand: "Node"


@dataclass(frozen=True, kw_only=True)
class And:
    """All of them; no operands means everything matches."""

    operands: tuple["Node", ...]


@dataclass(frozen=True, kw_only=True)
class Or:
    """Any of them."""

    operands: tuple["Node", ...]


Node = Comparison | Anywhere | Call | Not | And | Or


@lru_cache(maxsize=256)
def parse(text: str) -> Node:
    """Parse a filter.

    Raises:
        ApiError: INVALID_ARGUMENT that names the line and column, when the text is not a filter.
    """
    if len(text) > MAX_FILTER_CHARACTERS:
        raise invalid("filter", f"has {len(text)} characters, {MAX_FILTER_CHARACTERS} are allowed")
    try:
        node: Node = _TreeBuilder().transform(_parser().parse(text))
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from error
    except VisitError as error:
        if isinstance(error.orig_exc, ApiError):
            raise error.orig_exc from error
        raise
    return node


@cache
def _parser() -> Lark:
    grammar = files(__package__).joinpath("query.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


def _syntax_error(text: str, error: UnexpectedInput) -> ApiError:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return invalid("filter", f"unparseable at column {len(text) + 1}: the text ends too early")
    rest = text[error.pos_in_stream or 0 :].split("\n")[0][:20]
    return invalid("filter", f"unparseable at line {error.line}, column {error.column}: unexpected '{rest}'")


class _TreeBuilder(Transformer[Token, Node]):
    """Turns lark's tree into ours; each method is named after its grammar rule."""

    def start(self, children: list[Node]) -> Node:
        return children[0] if children else And(operands=())

    def expression(self, children: list[Any]) -> Node:
        return _joined(And, [child for child in children if not isinstance(child, Token)])

    def sequence(self, children: list[Node]) -> Node:
        return _joined(And, children)

    def factor(self, children: list[Any]) -> Node:
        return _joined(Or, [child for child in children if not isinstance(child, Token)])

    def negation(self, children: list[Any]) -> Node:
        return Not(operand=children[1])

    def anywhere(self, children: list[Literal]) -> Node:
        return Anywhere(value=children[0])

    def literal(self, children: list[Token]) -> Literal:
        token = children[0]
        quoted = token.type == "STRING"
        return Literal(
            text=_unquoted(token) if quoted else str(token), quoted=quoted, column=token.column or 1
        )

    def negative(self, children: list[Token]) -> Literal:
        return Literal(text=f"-{children[1]}", quoted=False, column=children[0].column or 1)

    def call(self, children: list[Any]) -> Call:
        name, *arguments = children
        for inner in arguments:
            if isinstance(inner, Call):
                raise invalid(
                    "filter", f"at column {inner.column}: {inner.name}() as an argument is not emulated"
                )
        return Call(name=name[:-1], arguments=tuple(arguments), column=name.column)

    def comparison(self, children: list[Any]) -> Node:
        field, operator, value = children
        if isinstance(field, Call):
            raise invalid("filter", f"at column {field.column}: comparing {field.name}() is not emulated")
        compare = _comparer(field_path(field), str(operator), field.column)
        return compare(value)


def _joined(kind: type[And] | type[Or], operands: list[Node]) -> Node:
    return operands[0] if len(operands) == 1 else kind(operands=tuple(operands))


def _comparer(path: tuple[str, ...], operator: str, column: int) -> Callable[[Any], Node]:
    """Return a function that spreads a comparison over a group: `field = ("a" OR "b")`."""

    def compare(value: Any) -> Node:
        match value:
            case Literal() | Call():
                return Comparison(path=path, operator=operator, value=value, column=column)
            case Anywhere(value=literal):
                return compare(literal)
            case Not(operand=operand):
                return Not(operand=compare(operand))
            case And(operands=operands) | Or(operands=operands):
                return type(value)(operands=tuple(compare(operand) for operand in operands))
        raise invalid("filter", f"at column {column}: a comparison cannot stand inside another one's value")

    return compare


def field_path(token: str) -> tuple[str, ...]:
    """Return the segments of a field path such as `labels."k8s.io/app"`."""
    segments = _SEGMENT.findall(token)
    return tuple(_unquoted(segment) if segment.startswith('"') else segment for segment in segments)


def _unquoted(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    # Other escapes keep their backslash off, but for regular expressions' own (\d), which need it.
    return re.sub(
        r"\\(.)", lambda found: escapes.get(found[1], _escaped(found[1])), text[1:-1], flags=re.DOTALL
    )


def _escaped(character: str) -> str:
    return character if character in "\"'\\" else f"\\{character}"
