"""The program of an application: its code, with what its inputs and reference tables give it, parsed and planned.

Needs neither Polars nor NumPy: the API checks code with it before it takes it.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.parser import parse_program
from millstream.analytics.model import Input, Reference
from millstream.analytics.parts import source_streams
from millstream.analytics.plan import Catalog, plan_program
from millstream.analytics.plan.nodes import Column, ProgramPlan
from millstream.analytics.records.schema import Schema
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.types import parse_type


def schema_columns(schema: Schema) -> tuple[Column, ...]:
    """The columns that a schema gives. Raises SqlError for a type that there is not."""
    columns = []
    for column in schema.columns:
        try:
            columns.append(Column(column.name, parse_type(column.sql_type)))
        except Mistake as mistake:
            raise SqlError(f"column {column.name}: {mistake.message}", hint=mistake.hint) from mistake
    return tuple(columns)


def catalog_of(inputs: Iterable[Input], references: Iterable[Reference]) -> Catalog:
    """What the program may name. Raises SqlError."""
    return Catalog(
        sources={name: schema_columns(source.schema) for source in inputs for name in source_streams(source)},
        tables={reference.table_name: schema_columns(reference.schema) for reference in references},
    )


def plan_of(code: str, inputs: Iterable[Input], references: Iterable[Reference]) -> ProgramPlan:
    """The plan of an application's code. Raises SqlError, nothing else."""
    return plan_program(parse_program(code), catalog_of(inputs, references), text=code)
