from __future__ import annotations

import pytest

from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.jsonpaths import follow, parse_jsonpaths


def test_paths_lead_to_values() -> None:
    paths = parse_jsonpaths(b"""{"jsonpaths": ["$.id", "$['a b'][1].c", "$[\\"x\\"]", "$.none.at[9].all", "$"]}""")
    document = {"id": 1, "a b": [0, {"c": True}], "x": "y"}

    assert [follow(path, document) for path in paths] == [1, True, "y", None, document]
    assert follow(parse_jsonpaths(b'{"jsonpaths": ["$[1]"]}')[0], ["a", "b"]) == "b"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"jsonpaths": []}', b'{"jsonpaths": ["id"]}', b'{"jsonpaths": ["$.a[*]"]}', b'{"jsonpaths": [1]}'],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(DeliveryError) as caught:
        parse_jsonpaths(data)
    assert caught.value.code == "Redshift.IncorrectJsonPathsFile"
