"""Run a query in GoogleSQL: translated for DuckDB, with BigQuery's parameters, types and refusals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from .clock import parse_rfc3339_ns
from .errors import invalid, not_emulated, not_found
from .log_table import LogTable

VIEW = "_AllLogs"
_READS: dict[str, Callable[[str], Any]] = {
    "STRING": str, "INT64": int, "FLOAT64": float, "BOOL": lambda text: text == "true",
    "TIMESTAMP": lambda text: datetime.fromtimestamp(parse_rfc3339_ns(text) / 1e9, UTC),
}  # fmt: skip
_WRITES: tuple[tuple[Callable[[Any], bool], str, Callable[[Any], str]], ...] = (
    (pa.types.is_boolean, "BOOLEAN", lambda value: str(value).lower()),
    (pa.types.is_integer, "INTEGER", str),
    (pa.types.is_null, "INTEGER", str),
    (pa.types.is_floating, "FLOAT", repr),
    # DuckDB sums whole numbers into decimals without places, and takes 1.5 for a decimal.
    (lambda kind: pa.types.is_decimal(kind) and kind.scale == 0, "INTEGER", lambda value: str(int(value))),
    (pa.types.is_decimal, "FLOAT", str),
    (pa.types.is_string, "STRING", str),
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A query's result: BigQuery's fields, and rows of texts."""

    fields: list[dict[str, str]]
    rows: list[list[str | None]]
    bytes_scanned: int


def run_query(table: LogTable, dataset: str, sql: str, parameters: list[dict[str, Any]]) -> Result:
    """Return what a query on the linked dataset gives.

    Args:
        dataset: Name of the dataset that there is; the only one.

    Raises:
        ApiError: INVALID_ARGUMENT for SQL that cannot be read or run, NOT_FOUND for another table.
    """
    tree = _parsed(sql, dataset)
    given = {each["name"]: _value(each) for each in parameters}
    asked = {each.name for each in tree.find_all(exp.Parameter)}
    for name in sorted(asked - given.keys()):
        raise invalid("queryParameters", f"Query parameter '{name}' not found")
    try:
        found = table.run(tree.sql("duckdb"), {name: given[name] for name in asked})
    except duckdb.Error as error:
        raise invalid("query", str(error).strip()) from error
    columns = [_column(field, found[index]) for index, field in enumerate(found.schema)]
    fields = [{"name": field.name, "type": kind, "mode": "NULLABLE"}
              for field, (kind, _) in zip(found.schema, columns, strict=True)]  # fmt: skip
    rows = [list(row) for row in zip(*(texts for _, texts in columns), strict=True)]
    return Result(fields=fields, rows=rows, bytes_scanned=table.bytes)


def _parsed(sql: str, dataset: str) -> exp.Query:
    try:
        (tree,) = sqlglot.parse(sql, read="bigquery")
    except (sqlglot.errors.SqlglotError, ValueError) as error:
        raise invalid("query", f"Syntax error: {error}") from error
    if not isinstance(tree, exp.Query):
        raise not_emulated("Anything but a SELECT")
    known = {each.alias for each in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.db or table.name not in known:
            _check(table, dataset)
            table.set("db", None)
            table.set("catalog", None)
    return tree


def _check(table: exp.Table, dataset: str) -> None:
    if table.db != dataset:
        raise not_found(f"datasets/{table.db or table.name}")
    if table.name != VIEW:
        raise not_found(f"tables/{table.db}.{table.name}")


def _value(parameter: dict[str, Any]) -> Any:
    kind = parameter.get("parameterType", {}).get("type", "STRING")
    if kind not in _READS:
        raise not_emulated(f"A query parameter of type {kind}")
    text = parameter.get("parameterValue", {}).get("value")
    return None if text is None else _READS[kind](text)


def _column(field: pa.Field, values: pa.ChunkedArray) -> tuple[str, list[str | None]]:
    if pa.types.is_timestamp(field.type):
        return "TIMESTAMP", _texts(values.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), str)
    for fits, kind, write in _WRITES:
        if fits(field.type):
            return kind, _texts(values, write)
    raise not_emulated(f"A result of type {field.type} in column {field.name}")


def _texts(values: pa.ChunkedArray, write: Any) -> list[str | None]:
    return [None if value is None else write(value) for value in values.to_pylist()]
