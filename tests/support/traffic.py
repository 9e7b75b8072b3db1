"""Maryland traffic violations, as a published walkthrough of delivery to Redshift has them: its table, and records.

The walkthrough's producer makes JSON of the data set's rows; what it made exactly was not published. Here the names
are the table's columns. The table has a column more than the data set ("violation" and "type" for "Violation Type"),
and its timeofstop is a timestamp, so time and date of the stop are put together.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

CREATE_TABLE = """
create table TrafficViolation(
 dateofstop date,
 timeofstop timestamp,
 agency varchar(100),
 subagency varchar(100),
 description varchar(300),
 location varchar(100),
 latitude varchar(100),
 longtitude varchar(100),
 accident varchar(100),
 belts varchar(100),
 personalinjury varchar(100),
 propertydamage varchar(100),
 fatal varchar(100),
 commlicense varchar(100),
 hazmat varchar(100),
 commvehicle varchar(100),
 alcohol varchar(100),
 workzone varchar(100),
 state varchar(100),
 veichletype varchar(100),
 year varchar(100),
 make varchar(100),
 model varchar(100),
 color varchar(100),
 violation varchar(100),
 type varchar(100),
 charge varchar(100),
 article varchar(100),
 contributed varchar(100),
 race varchar(100),
 gender varchar(100),
 drivercity varchar(100),
 driverstate varchar(100),
 dlstate varchar(100),
 arresttype varchar(100),
 geolocation varchar(100))
"""
COLUMNS = re.findall(r"^ (\w+) ", CREATE_TABLE, re.MULTILINE)

_SAMPLE = Path(__file__).parent.parent / "data" / "traffic_violations.csv"


def rows(path: Path = _SAMPLE) -> Iterator[list[str]]:
    """The data set's rows in the table's columns."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            values = dict(row)
            values["Time Of Stop"] = f"{values['Date Of Stop']} {values['Time Of Stop']}"
            before, after = list(values.values())[:24], list(values.values())[24:]
            yield [*before, values["Violation Type"], *after]


def records(path: Path = _SAMPLE) -> Iterator[bytes]:
    """The rows as JSON objects, without newlines."""
    for row in rows(path):
        yield json.dumps(dict(zip(COLUMNS, row, strict=True))).encode()
