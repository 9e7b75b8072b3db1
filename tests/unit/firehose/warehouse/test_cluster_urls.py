from __future__ import annotations

import pytest

from millstream.firehose.warehouse.clusterurl import ClusterUrlError, DuckDbFile, Server, parse_cluster_url


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("duckdb:", DuckDbFile(None, "")),
        ("duckdb:sales", DuckDbFile(None, "sales")),
        ("duckdb:///var/lib/sales.duckdb", DuckDbFile("/var/lib/sales.duckdb", "")),
        (
            "jdbc:redshift://examplecluster.abc123.us-west-2.redshift.amazonaws.com:5439/dev",
            Server("redshift", "examplecluster.abc123.us-west-2.redshift.amazonaws.com", 5439, "dev"),
        ),
        ("jdbc:redshift://cluster/dev", Server("redshift", "cluster", 5439, "dev")),
        (
            "jdbc:postgresql://db:5433/lake?sslmode=require&x=y",
            Server("postgresql", "db", 5433, "lake", ssl_mode="require"),
        ),
        ("postgresql://me:p%40ss@db/lake", Server("postgresql", "db", 5432, "lake", "me", "p@ss")),
    ],
)
def test_a_url_means_a_warehouse(url: str, place: object) -> None:
    assert parse_cluster_url(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redshift",
        "jdbc:mysql://h/d",
        "duckdb:../x",
        "duckdb:///",
        "jdbc:redshift://h:0x/d",
        "jdbc:redshift://h:5439",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ClusterUrlError, match="ClusterJDBCURL"):
        parse_cluster_url(url)
