from __future__ import annotations

from benchmarks.cli import Section, measurements_of
from benchmarks.measures import FIREHOSE_MEASUREMENTS, KINESIS_MEASUREMENTS
from benchmarks.servers import SERVERS

SERVER = {server.name: server for server in SERVERS}


def test_all_sections_measure_whatever_a_server_has() -> None:
    assert measurements_of(SERVER["moto"], set(Section)) == [*KINESIS_MEASUREMENTS, *FIREHOSE_MEASUREMENTS]
    assert measurements_of(SERVER["kinesalite"], set(Section)) == [*KINESIS_MEASUREMENTS]


def test_a_section_needs_no_servers_that_have_nothing_of_it() -> None:
    wanted = {name for name, server in SERVER.items() if measurements_of(server, {Section.FIREHOSE})}
    assert wanted == {"millstream", "moto", "ministack"}
    assert not any(measurements_of(server, {Section.DELIVERY, Section.MEMORY}) for server in SERVERS)
