"""Whole applications of the kinds that people published, over generated records; what is expected is computed apart,
by plain Python or DuckDB."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from millstream.analytics.records.schema import CsvFormat, RecordColumn, Schema
from support.analyticsruns import Program, Row, assert_alike, milliseconds, run_program, ways

BEGIN_MS = 1_710_493_200_000  # 2024-03-15 09:00
Record = dict[str, Any]


def _schema(text: str) -> Schema:
    """Of "name TYPE, …"."""
    columns = [column.split(maxsplit=1) for column in text.split(", ")]
    return Schema(columns=tuple(RecordColumn(name=name, sql_type=kind, mapping=f"$.{name}") for name, kind in columns))


def _table(text: str, rows: Sequence[Sequence[object]]) -> tuple[Schema, bytes]:
    columns = tuple(RecordColumn(name=one.name, sql_type=one.sql_type) for one in _schema(text).columns)
    lines = "".join(",".join(str(value) for value in row) + "\n" for row in rows)
    return Schema(columns=columns, format=CsvFormat()), lines.encode()


def _run(
    program: Program, records: Sequence[Record], also: Sequence[str] = ("in random cuts", "with a restart")
) -> dict[str, list[Row]]:
    """The rows of all streams, the same however the records are cut."""
    lines = [json.dumps(record).encode() for record in records]
    found = run_program(program, lines)
    cuts = ways(len(lines), seed=3)
    for way in also:
        assert run_program(program, lines, cuts[way]) == found, way
    return found


def _stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _values(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [(milliseconds(str(row["ROWTIME"])), *list(row.values())[1:]) for row in rows]


def _database(records: Sequence[Record]) -> duckdb.DuckDBPyConnection:
    """A database with the records in a table r, `seq` by their order."""
    database = duckdb.connect()
    names = list(records[0])
    rows = [(number, *(record[name] for name in names)) for number, record in enumerate(records)]
    kinds = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}
    typed = [f'"{name}" {kinds[type(records[0][name])]}' for name in names]
    database.execute(f"CREATE TABLE r (seq BIGINT, {', '.join(typed)})")
    database.executemany(f"INSERT INTO r VALUES ({', '.join('?' * (len(names) + 1))})", rows)
    return database


CLICKSTREAM = """
-- Sessions of clicks: by person, device and half minute of the client's clock
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
    session_id VARCHAR(60), user_id INTEGER, device_id VARCHAR(10), events INTEGER,
    beginnavigation VARCHAR(32), endnavigation VARCHAR(32), beginsession VARCHAR(25), duration_sec INTEGER);
CREATE OR REPLACE PUMP "WINDOW_PUMP_SEC" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM
    UPPER(CAST("user_id" AS VARCHAR(3)) || '_' || SUBSTRING("device_id", 1, 3)
        || CAST(UNIX_TIMESTAMP(STEP("client_timestamp" BY INTERVAL '30' SECOND)) / 1000 AS VARCHAR(20))) AS session_id,
    "user_id", "device_id",
    COUNT("client_event") events,
    first_value("client_event") AS beginnavigation,
    last_value("client_event") AS endnavigation,
    SUBSTRING(CAST(MIN("client_timestamp") AS VARCHAR(25)), 15, 5) AS beginsession,
    TSDIFF(MAX("client_timestamp"), MIN("client_timestamp")) / 1000 AS duration_sec
FROM "SOURCE_SQL_STREAM_001"
WINDOWED BY STAGGER (
    PARTITION BY "user_id", "device_id", STEP("client_timestamp" BY INTERVAL '30' SECOND)
    RANGE INTERVAL '30' SECOND);
"""


def _clicks() -> list[Record]:
    chance, at_ms = random.Random(11), BEGIN_MS
    made: list[Record] = []
    for _ in range(250):
        at_ms += chance.choice([0, 100, 500, 2_000, 4_000])
        made.append(
            {
                "ROWTIME": at_ms,
                "user_id": chance.randrange(20, 24),
                "device_id": chance.choice(["mobile", "computer", "tablet"]),
                "client_event": chance.choice(["beer_vitrine_nav", "beer_checkout", "beer_details", "beer_products"]),
                "client_timestamp": _stamp(at_ms - chance.randrange(0, 3_000)),
            }
        )
    return made


def test_clickstream_sessions() -> None:
    clicks = _clicks()
    sessions: list[tuple[int, int, tuple[Any, ...], list[Record]]] = []
    open_windows: dict[tuple[Any, ...], tuple[int, int, tuple[Any, ...], list[Record]]] = {}
    for number, click in enumerate(clicks):
        step = milliseconds(click["client_timestamp"]) // 30_000 * 30
        key = (click["user_id"], click["device_id"], step)
        window = open_windows.get(key)
        if window is None or window[0] <= click["ROWTIME"]:
            window = open_windows[key] = (click["ROWTIME"] + 30_000, number, key, [])
            sessions.append(window)
        window[3].append(click)
    expected = []
    for end, _, (user, device, step), members in sorted(sessions, key=lambda one: one[:2]):
        events = [one["client_event"] for one in members]
        times = [milliseconds(one["client_timestamp"]) for one in members]
        first = divmod(min(times) // 1000 % 3600, 60)
        name = f"{user}_{device[:3]}{step}".upper()
        duration = (max(times) - min(times)) // 1000
        begin = f"{first[0]:02}:{first[1]:02}"
        expected.append((end, name, user, device, len(events), events[0], events[-1], begin, duration))
    schema = _schema("user_id INTEGER, device_id VARCHAR(10), client_event VARCHAR(32), client_timestamp TIMESTAMP")
    found = _run(Program(CLICKSTREAM, schema), clicks)
    assert list(found) == ["DESTINATION_SQL_STREAM"]
    assert_alike(_values(found["DESTINATION_SQL_STREAM"]), expected)
    assert any(one[4] > 2 for one in expected)


CLICK_THROUGH = """
CREATE OR REPLACE STREAM "CLICKSTREAM" ("CLICKCOUNT" DOUBLE);
CREATE OR REPLACE PUMP "CLICKPUMP" AS INSERT INTO "CLICKSTREAM" ("CLICKCOUNT")
SELECT STREAM COUNT(*) FROM "SOURCE_SQL_STREAM_001" WHERE "browseraction" = 'Click'
GROUP BY FLOOR(("SOURCE_SQL_STREAM_001".ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND);
CREATE OR REPLACE STREAM "IMPRESSIONSTREAM" ("IMPRESSIONCOUNT" DOUBLE);
CREATE OR REPLACE PUMP "IMPRESSIONPUMP" AS INSERT INTO "IMPRESSIONSTREAM" ("IMPRESSIONCOUNT")
SELECT STREAM COUNT(*) FROM "SOURCE_SQL_STREAM_001" WHERE "browseraction" = 'Impression'
GROUP BY FLOOR(("SOURCE_SQL_STREAM_001".ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND);
CREATE OR REPLACE STREAM "CTRSTREAM" ("CTR" DOUBLE);
CREATE OR REPLACE PUMP "CTRPUMP" AS INSERT INTO "CTRSTREAM" ("CTR")
SELECT STREAM "CLICKCOUNT" / "IMPRESSIONCOUNT" * 100.000 AS "CTR"
FROM "IMPRESSIONSTREAM", "CLICKSTREAM"
WHERE "IMPRESSIONSTREAM".ROWTIME = "CLICKSTREAM".ROWTIME;
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("CTRPERCENT" DOUBLE, "ANOMALY_SCORE" DOUBLE);
CREATE OR REPLACE PUMP "OUTPUT_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM * FROM TABLE (RANDOM_CUT_FOREST(
    CURSOR(SELECT STREAM "CTR" FROM "CTRSTREAM"), -- inputStream
    100, -- numberOfTrees (default)
    12, -- subSampleSize
    100000, -- timeDecay (default)
    1) -- shingleSize (default)
)
WHERE ANOMALY_SCORE > 2;
"""


def test_click_through_rate_with_an_anomaly() -> None:
    """Windows 20 has five times the clicks."""
    chance = random.Random(12)
    actions: list[Record] = []
    for window in range(24):
        clicks = 30 if window == 20 else chance.randrange(5, 8)
        kinds = ["Click"] * clicks + ["Impression"] * 50
        chance.shuffle(kinds)
        for number, kind in enumerate(kinds):
            actions.append({"ROWTIME": BEGIN_MS + window * 10_000 + number * 100, "browseraction": kind})
    counts = defaultdict[int, Counter[str]](Counter)
    for action in actions:
        counts[(action["ROWTIME"] // 10_000 + 1) * 10_000][action["browseraction"]] += 1
    expected = [(end, one["Click"] / one["Impression"] * 100) for end, one in counts.items()]
    lines = [json.dumps(action).encode() for action in actions]
    program = Program(CLICK_THROUGH, _schema("browseraction VARCHAR(16)"))
    found = run_program(program, lines)
    assert run_program(program, lines, ways(len(lines))["in random cuts"]) == found
    assert_alike(_values(found["CTRSTREAM"]), expected, 1e-9)
    alarms = _values(found["DESTINATION_SQL_STREAM"])
    assert max(alarms, key=lambda row: row[2])[:2] == (BEGIN_MS + 210_000, 60.0)


WEB = """
CREATE OR REPLACE STREAM "PAGE_VIEWS" (
    page VARCHAR(64), views INTEGER, visitors INTEGER, bytes_sent BIGINT, minute_ TIMESTAMP);
CREATE OR REPLACE PUMP "PAGE_VIEWS_PUMP" AS INSERT INTO "PAGE_VIEWS"
SELECT STREAM page, COUNT(*), COUNT(DISTINCT ip), SUM(size), STEP(hits.ROWTIME BY INTERVAL '1' MINUTE)
FROM "SOURCE_SQL_STREAM_001" AS hits
WHERE status < 400 AND NOT page SIMILAR TO '%\\.(css|js|png)' ESCAPE '\\'
GROUP BY page, STEP(hits.ROWTIME BY INTERVAL '1' MINUTE);

CREATE OR REPLACE STREAM "ERROR_RATES" (page VARCHAR(64), percent DOUBLE, requests INTEGER);
CREATE OR REPLACE PUMP "ERROR_RATES_PUMP" AS INSERT INTO "ERROR_RATES"
SELECT STREAM page, SUM(CASE WHEN status >= 500 THEN 1 ELSE 0 END) OVER last_hour * 100E0 / COUNT(*) OVER last_hour,
    COUNT(*) OVER last_hour
FROM "SOURCE_SQL_STREAM_001"
WINDOW last_hour AS (PARTITION BY page RANGE INTERVAL '1' HOUR PRECEDING);

CREATE OR REPLACE STREAM "ALERTS" (page VARCHAR(64), percent DOUBLE);
CREATE OR REPLACE PUMP "ALERTS_PUMP" AS INSERT INTO "ALERTS"
SELECT STREAM page, percent FROM "ERROR_RATES" WHERE requests >= 10 AND percent > 20;

CREATE OR REPLACE STREAM "SLOWEST" (minute_ TIMESTAMP, page VARCHAR(64), took_ms INTEGER);
CREATE OR REPLACE PUMP "SLOWEST_PUMP" AS INSERT INTO "SLOWEST"
SELECT STREAM FLOOR(s.ROWTIME TO HOUR), page, MAX(took) AS took_ms FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY page, FLOOR(s.ROWTIME TO HOUR) HAVING MAX(took) > 900;
"""


def _hits() -> list[Record]:
    chance, at_ms = random.Random(13), BEGIN_MS
    made: list[Record] = []
    pages = ["/", "/cart", "/item/1", "/item/2", "/style.css", "/app.js"]
    for _ in range(300):
        at_ms += chance.choice([0, 5_000, 20_000, 90_000])
        made.append(
            {
                "ROWTIME": at_ms,
                "page": chance.choices(pages, weights=[6, 3, 3, 2, 1, 1])[0],
                "ip": f"10.0.0.{chance.randrange(6)}",
                "status": chance.choices([200, 304, 404, 500, 503], weights=[10, 3, 2, 2, 1])[0],
                "size": chance.randrange(5_000),
                "took": chance.randrange(1_000),
            }
        )
    return made


def test_web_analytics_with_several_pumps_and_sliding_hours() -> None:
    hits = _hits()
    schema = _schema("page VARCHAR(64), ip VARCHAR(15), status INTEGER, size INTEGER, took INTEGER")
    renamed = tuple(
        RecordColumn(name=one.name.upper(), sql_type=one.sql_type, mapping=one.mapping) for one in schema.columns
    )
    found = _run(Program(WEB, Schema(columns=renamed)), hits)
    database = _database(hits)
    views = database.execute(
        """SELECT (ROWTIME // 60000 + 1) * 60000 AS till, page, count(*), count(DISTINCT ip), sum(size)::BIGINT
        FROM r WHERE status < 400 AND NOT regexp_matches(page, '\\.(css|js|png)$') GROUP BY till, page
        ORDER BY till, min(seq)"""
    ).fetchall()
    assert_alike([row[:5] for row in _values(found["PAGE_VIEWS"])], views)
    rates = database.execute(
        """SELECT a.ROWTIME, a.page, sum(CASE WHEN b.status >= 500 THEN 100.0 ELSE 0 END)::DOUBLE / count(*), count(*)
        FROM r AS a JOIN r AS b ON a.page = b.page AND b.seq <= a.seq AND b.ROWTIME >= a.ROWTIME - 3600000
        GROUP BY a.seq, a.ROWTIME, a.page ORDER BY a.seq"""
    ).fetchall()
    assert_alike(_values(found["ERROR_RATES"]), rates)
    alerts = [row[:3] for row in rates if row[3] >= 10 and row[2] > 20]
    assert alerts
    assert_alike(_values(found["ALERTS"]), alerts)
    slowest = database.execute(
        """SELECT (ROWTIME // 3600000 + 1) * 3600000 AS till, page, max(took) AS most FROM r
        GROUP BY till, page HAVING most > 900 ORDER BY till, min(seq)"""
    ).fetchall()
    assert_alike([(row[0], *row[2:]) for row in _values(found["SLOWEST"])], slowest)


def _device_program() -> str:
    """Twenty pumps: for each of ten kinds of devices a filter and an average over what it keeps."""
    parts = [
        f"""
        CREATE OR REPLACE STREAM "KIND_{number}" ("device" VARCHAR(8), "temperature" DOUBLE, "battery" SMALLINT);
        CREATE OR REPLACE PUMP "KIND_{number}_PUMP" AS INSERT INTO "KIND_{number}"
        SELECT STREAM "device", "temperature", "battery" FROM "SOURCE_SQL_STREAM_001" WHERE "kind" = {number};
        CREATE OR REPLACE STREAM "MEANS_{number}" ("device" VARCHAR(8), "mean" DOUBLE, "least" SMALLINT, "n" INTEGER);
        CREATE OR REPLACE PUMP "MEANS_{number}_PUMP" AS INSERT INTO "MEANS_{number}"
        SELECT STREAM "device", AVG("temperature"), MIN("battery"), COUNT(*) FROM "KIND_{number}"
        GROUP BY "device", STEP("KIND_{number}".ROWTIME BY INTERVAL '{10 + number}' SECOND);
        """
        for number in range(10)
    ]
    return "".join(parts)


def test_devices_with_twenty_pumps() -> None:
    chance, at_ms = random.Random(14), BEGIN_MS
    readings: list[Record] = []
    for _ in range(300):
        at_ms += chance.choice([0, 50, 300, 1_000])
        kind = chance.randrange(10)
        device = f"d{kind}-{chance.randrange(3)}"
        reading = {"ROWTIME": at_ms, "kind": kind, "device": device}
        readings.append(reading | {"temperature": chance.gauss(20, 5), "battery": chance.randrange(101)})
    schema = _schema("kind INTEGER, device VARCHAR(8), temperature DOUBLE, battery SMALLINT")
    found = _run(Program(_device_program(), schema), readings, also=("in random cuts",))
    database = _database(readings)
    for number in range(10):
        step_ms = 1000 * (10 + number)
        expected = database.execute(
            f"""SELECT (ROWTIME // {step_ms} + 1) * {step_ms} AS till, device, avg(temperature), min(battery), count(*)
            FROM r WHERE kind = {number} GROUP BY till, device ORDER BY till, min(seq)"""
        ).fetchall()
        assert expected
        assert_alike(_values(found[f"MEANS_{number}"]), expected, 1e-9)


PEAKS = """
CREATE OR REPLACE STREAM "PEAKS" (device_id VARCHAR(8), peak DOUBLE, minute_ TIMESTAMP);
CREATE OR REPLACE PUMP "PEAKS_PUMP" AS INSERT INTO "PEAKS"
SELECT STREAM device_id, MAX(vibration), FLOOR(s.ROWTIME TO MINUTE) FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY device_id, FLOOR(s.ROWTIME TO MINUTE);
CREATE OR REPLACE STREAM "WARNINGS" (device_id VARCHAR(8), least_peak DOUBLE);
CREATE OR REPLACE PUMP "WARNINGS_PUMP" AS INSERT INTO "WARNINGS"
SELECT STREAM device_id, warning--, minute_
FROM (SELECT STREAM device_id, MIN(peak) OVER three AS warning, COUNT(*) OVER three AS n FROM "PEAKS"
      WINDOW three AS (PARTITION BY device_id ROWS 2 PRECEDING))
WHERE warning >= 0.5 AND n = 3;
"""


def test_alerts_after_three_bad_minutes() -> None:
    chance = random.Random(15)
    readings: list[Record] = []
    for number in range(240):
        vibration = round(chance.random() ** 2, 3)
        record = {"ROWTIME": BEGIN_MS + number * 3_000, "DEVICE_ID": f"d{number % 4}", "VIBRATION": vibration}
        readings.append(record)
    peaks: dict[tuple[int, str], float] = {}
    for one in readings:
        key = ((one["ROWTIME"] // 60_000 + 1) * 60_000, one["DEVICE_ID"])
        peaks[key] = max(peaks.get(key, 0.0), one["VIBRATION"])
    expected, past = [], defaultdict[str, list[float]](list)
    for (end, device), peak in peaks.items():
        past[device].append(peak)
        if len(past[device]) >= 3 and min(past[device][-3:]) >= 0.5:
            expected.append((end, device, min(past[device][-3:])))
    assert expected
    found = _run(Program(PEAKS, _schema("DEVICE_ID VARCHAR(8), VIBRATION DOUBLE")), readings)
    assert_alike(_values(found["WARNINGS"]), expected)


TOP_CATEGORIES = """
CREATE OR REPLACE STREAM "categories_output_stream" (category VARCHAR(50), total_views INTEGER);
CREATE OR REPLACE PUMP "CATEGORIES_STREAM_PUMP" AS INSERT INTO "categories_output_stream"
SELECT STREAM * FROM TABLE (TOP_K_ITEMS_TUMBLING(
    CURSOR(SELECT STREAM * FROM "views_001" AS f JOIN "items_information" AS i ON f."item_id" = i."item_id"),
    'category', 3, 60));
"""


def test_top_categories_over_a_reference_table() -> None:
    chance = random.Random(16)
    items = [(f"i{number}", f"c{number % 5}") for number in range(20)]
    chosen = [min(int(chance.expovariate(0.15)), 24) for _ in range(300)]
    views: list[Record] = [
        {"ROWTIME": BEGIN_MS + 700 * number, "item_id": f"i{item}"} for number, item in enumerate(chosen)
    ]
    counts = defaultdict[int, Counter[str]](Counter)
    category = dict(items)
    for view in views:
        if view["item_id"] in category:
            counts[(view["ROWTIME"] // 60_000 + 1) * 60_000][category[view["item_id"]]] += 1
    expected = [(end, name, count) for end, one in counts.items() for name, count in one.most_common(3)]
    tables = {"items_information": _table("item_id VARCHAR(8), category VARCHAR(16)", items)}
    program = Program(TOP_CATEGORIES, _schema("item_id VARCHAR(8)"), "views_001", tables)
    assert_alike(_values(_run(program, views)["categories_output_stream"]), expected)


ONBOARDING = """
CREATE OR REPLACE STREAM "JOINED" (ssn VARCHAR(16), address VARCHAR(64), risk VARCHAR(16), history VARCHAR(16));
CREATE OR REPLACE STREAM "OUTPUT_STREAM" (
    ssn VARCHAR(16), risk VARCHAR(16), occupation VARCHAR(32), annual_income DOUBLE);
CREATE OR REPLACE PUMP "JOINED_PUMP" AS INSERT INTO "JOINED"
SELECT STREAM eventA."ssn", eventA."address", eventB."risk", eventC."history"
FROM "INPUT_STREAM_001" OVER (RANGE INTERVAL '15' SECOND PRECEDING) AS eventA
JOIN "INPUT_STREAM_001" OVER (RANGE INTERVAL '15' SECOND PRECEDING) AS eventB ON eventA."ssn" = eventB."ssn"
JOIN "INPUT_STREAM_001" OVER (RANGE INTERVAL '15' SECOND PRECEDING) AS eventC ON eventA."ssn" = eventC."ssn"
WHERE eventA."address" IS NOT NULL AND eventB."risk" IS NOT NULL AND eventC."history" IS NOT NULL;
CREATE OR REPLACE PUMP "OUTPUT_PUMP" AS INSERT INTO "OUTPUT_STREAM"
SELECT STREAM a."SSN", a.risk, ref."occupation", ref."annual_income"
FROM "JOINED" AS a JOIN "PEOPLE" AS ref ON a."SSN" = ref."ssn"
"""


def test_three_events_of_one_person_in_any_order_and_a_reference_table() -> None:
    chance = random.Random(17)
    events: list[Record] = []
    for number in range(40):
        begin = BEGIN_MS + number * 4_000
        for kind in ("address", "risk", "history"):
            members = dict.fromkeys(("address", "risk", "history"), None) | {kind: f"{kind}-{number}"}
            events.append({"ROWTIME": begin + chance.randrange(24_000), "ssn": f"s{number}"} | members)
    events.sort(key=lambda one: one["ROWTIME"])
    times = defaultdict[str, list[int]](list)
    for one in events:
        times[one["ssn"]].append(one["ROWTIME"])
    people = [(f"s{number}", f"job{number % 3}", 1000.5 + number) for number in range(0, 40, 2)]
    known = {person[0]: person for person in people}
    complete = [(max(some), ssn) for ssn, some in times.items() if max(some) - min(some) <= 15_000 and ssn in known]
    expected = [(end, ssn, f"risk-{ssn[1:]}", *known[ssn][1:]) for end, ssn in sorted(complete)]
    assert 3 < len(expected) < 18
    tables = {"PEOPLE": _table("ssn VARCHAR(16), occupation VARCHAR(32), annual_income DOUBLE", people)}
    schema = _schema("ssn VARCHAR(16), address VARCHAR(64), risk VARCHAR(16), history VARCHAR(16)")
    found = _run(Program(ONBOARDING, schema, "INPUT_STREAM_001", tables), events)
    assert_alike(sorted(_values(found["OUTPUT_STREAM"])), expected)


SCORED = """
CREATE OR REPLACE STREAM "TEMP_STREAM" ("cost" DOUBLE, "recordTimestamp" TIMESTAMP, "ANOMALY_SCORE" DOUBLE);
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("cost" DOUBLE, "recordTimestamp" TIMESTAMP, "ANOMALY_SCORE" DOUBLE);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "TEMP_STREAM"
SELECT STREAM SOURCE."cost", SOURCE."recordTimestamp", rcf."ANOMALY_SCORE"
FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM "cost" FROM SOURCE_SQL_STREAM_001), 30, 32, 100000, 1)) AS rcf,
    SOURCE_SQL_STREAM_001 AS SOURCE;
CREATE OR REPLACE PUMP "OUTPUT_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM * FROM "TEMP_STREAM"
ORDER BY FLOOR("TEMP_STREAM".ROWTIME TO MINUTE), ANOMALY_SCORE DESC;
"""


def test_costs_joined_with_their_scores() -> None:
    """A stream and a function of it meet without a window: row by row, as long as their times differ."""
    chance = random.Random(18)
    costs = [round(chance.gauss(50, 2), 2) for _ in range(150)]
    costs[130] = 500.0
    records: list[Record] = [
        {"ROWTIME": BEGIN_MS + 1_000 * number, "cost": cost, "recordTimestamp": _stamp(BEGIN_MS - number)}
        for number, cost in enumerate(costs)
    ]
    found = _run(Program(SCORED, _schema("cost DOUBLE, recordTimestamp TIMESTAMP")), records)
    assert [row["cost"] for row in found["TEMP_STREAM"]] == costs
    assert found["DESTINATION_SQL_STREAM"][120]["cost"] == 500.0
    assert [row["cost"] for row in found["DESTINATION_SQL_STREAM"][:120]] != costs[:120]
    assert Counter(row["cost"] for row in found["DESTINATION_SQL_STREAM"]) == Counter(costs)


CLOUDFORMATION = """
{"Resources": {
  "Minima": {"Type": "AWS::KinesisAnalytics::Application", "Properties": {
    "ApplicationName": "minima",
    "ApplicationCode": {"Fn::Join": ["\\n", [
      "CREATE OR REPLACE STREAM \\"OUTPUT_STREAM\\" (UTC_TIME BIGINT NOT NULL, POSTAL_CODE VARCHAR(10) NOT NULL,",
      "MINIMUM DECIMAL(18,6) NOT NULL);",
      "CREATE OR REPLACE PUMP \\"TEMPERATURE_PUMP\\" AS INSERT INTO \\"OUTPUT_STREAM\\"",
      "SELECT STREAM UTC_TIME, POSTAL_CODE, min(TEMPERATURE) over LAST_MINUTE AS MINIMUM FROM \\"INPUT_001\\"",
      "WINDOW LAST_MINUTE AS (PARTITION BY POSTAL_CODE RANGE INTERVAL '1' MINUTE PRECEDING);"]]},
    "Inputs": [{"NamePrefix": "INPUT", "InputSchema": {
      "RecordColumns": [
        {"Name": "UTC_TIME", "SqlType": "BIGINT", "Mapping": "$.utc"},
        {"Name": "POSTAL_CODE", "SqlType": "VARCHAR(10)", "Mapping": "$.place.code"},
        {"Name": "TEMPERATURE", "SqlType": "DECIMAL(18,6)", "Mapping": "$.temperature"}],
      "RecordFormat": {"RecordFormatType": "JSON", "MappingParameters": {
        "JSONMappingParameters": {"RecordRowPath": "$"}}}}}]}},
  "Counts": {"Type": "AWS::KinesisAnalytics::Application", "Properties": {
    "ApplicationCode": {"Fn::Sub": "COUNTS"}}}
}}
"""
COUNTS = """CREATE OR REPLACE STREAM "${Output}" (n INTEGER);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "${Output}"
SELECT STREAM COUNT(*) FROM "INPUT_001" GROUP BY STEP("INPUT_001".ROWTIME BY INTERVAL '${Seconds}' SECOND);"""


def _written(code: Any, values: dict[str, str]) -> str:
    """The text that Fn::Join and Fn::Sub make."""
    if "Fn::Join" in code:
        sign, parts = code["Fn::Join"]
        return str(sign).join(parts)
    text = str(code["Fn::Sub"])
    for name, value in values.items():
        text = text.replace("${" + name + "}", value)
    return text


def test_programs_within_cloudformation_templates() -> None:
    resources = json.loads(CLOUDFORMATION.replace('"COUNTS"', json.dumps(COUNTS)))["Resources"]
    minima, counts = (resources[name]["Properties"] for name in ("Minima", "Counts"))
    columns = minima["Inputs"][0]["InputSchema"]["RecordColumns"]
    named = (RecordColumn(name=one["Name"], sql_type=one["SqlType"], mapping=one["Mapping"]) for one in columns)
    schema = Schema(columns=tuple(named))
    chance = random.Random(19)
    readings: list[Record] = []
    for number in range(120):
        place = {"code": chance.choice(["0150", "0151"])}
        degrees = round(chance.gauss(4, 6), 2)
        utc = BEGIN_MS + 2_000 * number
        readings.append({"ROWTIME": utc, "utc": utc, "place": place, "temperature": degrees})
    expected = []
    for number, one in enumerate(readings):
        near = [
            other["temperature"]
            for other in readings[: number + 1]
            if other["place"] == one["place"] and other["ROWTIME"] >= one["ROWTIME"] - 60_000
        ]
        expected.append((one["ROWTIME"], one["utc"], one["place"]["code"], f"{min(near):.6f}"))
    found = _run(Program(_written(minima["ApplicationCode"], {}), schema, "INPUT_001"), readings)
    assert_alike(_values(found["OUTPUT_STREAM"]), expected)
    code = _written(counts["ApplicationCode"], {"Output": "DESTINATION_SQL_STREAM", "Seconds": "30"})
    found = _run(Program(code, schema, "INPUT_001"), readings)
    assert [row["N"] for row in found["DESTINATION_SQL_STREAM"]] == [15] * 8


TRAFFIC = """
CREATE OR REPLACE STREAM "TALKERS" (source VARCHAR(15), port INTEGER, bytes_sent BIGINT, rejected INTEGER);
CREATE OR REPLACE PUMP "TALKERS_PUMP" AS INSERT INTO "TALKERS"
SELECT STREAM source, port, SUM(bytes_sent), SUM(CASE "ACTION" WHEN 'REJECT' THEN 1 ELSE 0 END)
FROM "SOURCE_SQL_STREAM_001" AS flows
WINDOWED BY STAGGER (PARTITION BY source, port RANGE INTERVAL '1' MINUTE)
HAVING SUM(bytes_sent) > 1000;
"""


def test_flow_logs_as_csv() -> None:
    """Records of several lines, their columns separated by spaces."""
    chance, at_ms = random.Random(20), BEGIN_MS
    records: list[bytes] = []
    flows: list[tuple[int, str, int, int, str]] = []
    for _ in range(60):
        lines = []
        for _ in range(chance.randrange(1, 4)):
            at_ms += chance.choice([0, 500, 3_000])
            address, port = f"10.0.0.{chance.randrange(4)}", chance.choice([22, 443])
            flow = (at_ms, address, port, chance.randrange(900), chance.choice(["ACCEPT", "REJECT"]))
            flows.append(flow)
            lines.append(" ".join(["2", *map(str, flow[1:]), _stamp(at_ms).replace(" ", "T")]))
        records.append("\n".join(lines).encode())
    windows: dict[tuple[str, int], tuple[int, list[tuple[int, str, int, int, str]]]] = {}
    closed: list[tuple[int, tuple[str, int], list[tuple[int, str, int, int, str]]]] = []
    for one in flows:
        window = windows.get(one[1:3])
        if window is None or window[0] <= one[0]:
            window = windows[one[1:3]] = (one[0] + 60_000, [])
            closed.append((window[0], one[1:3], window[1]))
        window[1].append(one)
    expected = []
    for end, key, members in sorted(closed, key=lambda window: window[0]):
        total = sum(member[3] for member in members)
        if total > 1000:
            expected.append((end, *key, total, sum(member[4] == "REJECT" for member in members)))
    kinds = ("VERSION INTEGER", "SOURCE VARCHAR(15)", "PORT INTEGER", "BYTES_SENT BIGINT", "ACTION VARCHAR(8)")
    columns = (*_schema(", ".join(kinds)).columns, RecordColumn(name="AT_", sql_type="TIMESTAMP"))
    plain = tuple(RecordColumn(name=one.name, sql_type=one.sql_type, mapping=None) for one in columns)
    program = Program(TRAFFIC, Schema(columns=plain, format=CsvFormat("\n", " ")), rowtime="AT_")
    found = run_program(program, records)
    assert run_program(program, records, ways(len(records))["with a restart"]) == found
    assert len(expected) > 3
    assert_alike(_values(found["TALKERS"]), expected)
