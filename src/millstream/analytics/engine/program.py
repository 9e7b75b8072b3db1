"""An application made ready to run: its plan, its reference tables, how its records become rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from millstream.analytics.engine.dataflow import DataFlow
from millstream.analytics.engine.ports import ApplicationFailed
from millstream.analytics.language.errors import SqlError
from millstream.analytics.model import Application
from millstream.analytics.parts import source_streams
from millstream.analytics.plan.nodes import ProgramPlan
from millstream.analytics.programs import plan_of
from millstream.analytics.records.decode import Decoder
from millstream.analytics.records.paths import InvalidSchema
from millstream.analytics.records.tables import read_table


class Prepared(NamedTuple):
    """What a run needs of an application. `sources` are the names of the input's in-application streams."""

    plan: ProgramPlan
    flow: DataFlow
    decoder: Decoder
    sources: list[str]


def prepare(application: Application, objects: Mapping[str, bytes]) -> Prepared:
    """Make an application ready; `objects` are its reference tables' contents by name. Raises ApplicationFailed."""
    if not application.inputs:
        raise ApplicationFailed("it has no input: add one with AddApplicationInput")
    source = application.inputs[0]
    try:
        plan = plan_of(application.code, application.inputs, application.references)
        decoder = Decoder(source.schema)
        tables = {
            one.table_name: read_table([objects[one.table_name]], one.schema).frame for one in application.references
        }
    except SqlError as error:
        raise ApplicationFailed(f"its code cannot run: {error.report()}") from error
    except InvalidSchema as error:
        raise ApplicationFailed(f"its schema cannot be used: {error}") from error
    for output in application.outputs:
        if output.name not in plan.streams:
            known = ", ".join(plan.streams)
            raise ApplicationFailed(
                f"output {output.output_id} takes in-application stream {output.name}, which its code does not make; "
                f"there are {known}"
            )
    return Prepared(plan, DataFlow(plan, tables), decoder, source_streams(source))
