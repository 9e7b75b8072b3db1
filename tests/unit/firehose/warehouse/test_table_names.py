from __future__ import annotations

import pytest

from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.names import TableName, parse_columns, parse_table


def test_names_are_folded_unless_quoted() -> None:
    assert parse_table("TrafficViolation") == TableName(None, None, "trafficviolation")
    assert parse_table('dev.Public."My ""Table"') == TableName("dev", "public", 'My "Table')
    assert parse_columns(' (id, "Time", veggie)') == ["id", "Time", "veggie"]
    assert parse_columns("") == []
    assert parse_table('a."B"').quoted() == '"a"."B"'


@pytest.mark.parametrize("name", ["t; drop table u", "a.b.c.d", "", "1t", "t (id)", "t--"])
def test_what_is_no_table_is_refused(name: str) -> None:
    with pytest.raises(DeliveryError, match="not the name of a table"):
        parse_table(name)


@pytest.mark.parametrize("columns", ["a,,b", "a b", "a); drop table t --"])
def test_what_is_no_column_list_is_refused(columns: str) -> None:
    with pytest.raises(DeliveryError, match="not a list of columns"):
        parse_columns(columns)
