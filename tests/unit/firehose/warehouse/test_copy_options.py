from __future__ import annotations

import pytest

from millstream.firehose.warehouse.copyoptions import CopyOptions, CopyOptionsError, parse_copy_options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", CopyOptions()),
        ("json 'auto'", CopyOptions(json="auto")),
        ("FORMAT AS JSON 'auto ignorecase'", CopyOptions(json="auto ignorecase")),
        ("json 's3://bucket/paths/a.json' gzip;", CopyOptions(json="s3://bucket/paths/a.json", gzip=True)),
        ("CSV QUOTE AS '%' DELIMITER '\\t'", CopyOptions(csv=True, quote="%", delimiter="\t")),
        ("delimiter '\\001' NULL AS '' ESCAPE", CopyOptions(delimiter="\1", null_as="", escape=True)),
        (
            "dateformat 'auto' TIMEFORMAT AS 'epochmillisecs'",
            CopyOptions(date_format="auto", time_format="epochmillisecs"),
        ),
        ("MAXERROR AS 5 IGNOREHEADER 1", CopyOptions(maxerror=5, ignore_header=1)),
        ("null as 'it''s' TRUNCATECOLUMNS", CopyOptions(null_as="it's", truncate_columns=True)),
        ("acceptinvchars COMPUPDATE OFF STATUPDATE ON", CopyOptions(accept_invalid_characters="?")),
        ("acceptinvchars as '^' region 'eu-west-1'", CopyOptions(accept_invalid_characters="^", region="eu-west-1")),
        ("emptyasnull blanksasnull fillrecord", CopyOptions(empty_as_null=True, blanks_as_null=True, fill_record=True)),
        ("REMOVEQUOTES manifest ENCODING UTF8", CopyOptions(remove_quotes=True, manifest=True)),
    ],
)
def test_options_of_the_manual_are_understood(text: str, options: CopyOptions) -> None:
    assert parse_copy_options(text) == options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("json 'auto' FASTER", "FASTER is not an option of COPY"),
        ("PARQUET", "PARQUET cannot be used here"),
        ("IAM_ROLE 'arn:…'", "IAM_ROLE cannot be used here: name the role in RoleARN"),
        ("delimiter", "DELIMITER needs a string in single quotes"),
        ("delimiter '||'", "DELIMITER needs a single ASCII character"),
        ("json 'paths.json'", "JSON takes 'auto'"),
        ("json 'auto' csv", "JSON cannot be used with CSV"),
        ("csv escape", "CSV cannot be used with REMOVEQUOTES or ESCAPE"),
        ("quote '%'", "QUOTE can be used only with CSV"),
        ("gzip GZIP", "GZIP is given twice"),
        ("maxerror 'many'", "MAXERROR needs a number"),
        ("maxerror 100001", "MAXERROR is at most 100000"),
        ("'auto' json", "Expected the name of an option"),
        ("format parquet", "FORMAT takes JSON or CSV"),
        ("encoding utf16", "ENCODING takes UTF8"),
        ("acceptinvchars '??'", "ACCEPTINVCHARS needs a single ASCII character"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(CopyOptionsError, match=said):
        parse_copy_options(text)
