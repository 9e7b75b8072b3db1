"""agent.json: what the Java agent takes is taken, and all that is wrong is said at once, with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millstream.agent.config import AgentConfig, FlowConfig
from millstream.agent.configfile import ConfigProblems, default_checkpoint_file, load_config, with_endpoint
from millstream.agent.configkeys import FLOW, GLOBAL
from millstream.base.units import MIB

FLOW_LINE = {"filePattern": "/var/log/app.log*", "deliveryStream": "orders"}


def written(directory: Path, content: object) -> Path:
    path = directory / "agent.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)
    return path


def loaded(directory: Path, **document: Any) -> AgentConfig:
    return load_config(written(directory, {"flows": [FLOW_LINE], **document})).config


def flow(directory: Path, **keys: Any) -> FlowConfig:
    """The flow of these keys, and a destination if there is none."""
    keys = {"filePattern": "/var/log/app.log", **({} if "kinesisStream" in keys else {"deliveryStream": "d"}), **keys}
    return load_config(written(directory, {"flows": [keys]})).config.flows[0]


def problems(directory: Path, content: object) -> list[str]:
    with pytest.raises(ConfigProblems) as raised:
        load_config(written(directory, content))
    assert all(f"\n  {problem}" in str(raised.value) for problem in raised.value.problems)
    return raised.value.problems


def test_a_configuration_as_people_write_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """/* agent.json */
        {
          "cloudwatch.emitMetrics": "true",   // a text, dotted
          "kinesis.endpoint": "", /* the default */
          "firehose": {"endpoint": "firehose.eu-west-1.amazonaws.com"},
          "log": {"level": "warn"},
          "maxSendingThreads": 24.0, "cloudwatch.namespace": "no // comment /* here",
          "_comment": "no setting at all",
          "flows": [
            {
              "filePattern": "/var/log/*.log",
              "kinesisStream": "ticks", "deliveryStream": "",
              "partitionKeyOption": "DETERMINISTIC",
              "initialPosition": "START_OF_FILE",
              "maxBufferSizeRecords": "1", "maxBufferAgeMillis": 60000,
              "multiLineStartPattern": "^\\\\d{4}-",
              "skipHeaderLines": null,
              "dataProcessingOptions": [{"optionName": "SINGLELINE"}]
            }
          ]
        }""",
    )
    config, warnings = load_config(path)
    assert warnings == []
    assert config == AgentConfig(
        flows=(
            FlowConfig(
                file_pattern="/var/log/*.log",
                kinesis_stream="ticks",
                partition_key_option="DETERMINISTIC",
                initial_position="START_OF_FILE",
                max_buffer_size_records=1,
                max_buffer_size_bytes=5 * MIB,
                multi_line_start_pattern=r"^\d{4}-",
                data_processing_options=({"optionName": "SINGLELINE"},),
            ),
        ),
        checkpoint_file=default_checkpoint_file(),
        firehose_endpoint="firehose.eu-west-1.amazonaws.com",
        cloudwatch_namespace="no // comment /* here",
        log_level="WARN",
        max_sending_threads=24,
    )


def test_every_field_has_a_key() -> None:
    assert {key.field for key in FLOW.values()} == {*FlowConfig.__struct_fields__} - {"data_processing_options"}
    assert {key.field for key in GLOBAL.values()} == {*AgentConfig.__struct_fields__} - {"flows"}


def test_buffers_are_as_large_as_the_destination_takes(tmp_path: Path) -> None:
    assert flow(tmp_path, kinesisStream="s").max_buffer_size_bytes == 5 * MIB
    assert flow(tmp_path, deliveryStream="d").max_buffer_size_bytes == 4 * MIB
    assert flow(tmp_path, kinesisStream="s", maxBufferSizeBytes=5 * MIB).max_buffer_size_bytes == 5 * MIB
    (problem,) = problems(tmp_path, {"flows": [{**FLOW_LINE, "maxBufferSizeBytes": 5 * MIB}]})
    assert problem == "flows[0].maxBufferSizeBytes: 5,242,880 must be 1 to 4,194,304 for a delivery stream"


def test_nested_and_dotted_keys_mean_the_same(tmp_path: Path) -> None:
    nested = loaded(
        tmp_path, cloudwatch={"emitMetrics": False, "metricsQueueSize": "5"}, kinesis={"region": "eu-west-1"}
    )
    dotted = {"cloudwatch.emitMetrics": False, "cloudwatch.metricsQueueSize": 5, "kinesis.region": "eu-west-1"}
    assert nested == loaded(tmp_path, **dotted)
    assert (nested.cloudwatch_emit_metrics, nested.cloudwatch_metrics_queue_size) == (False, 5)


def test_what_is_wrong_is_said_all_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "shutdownTimeoutMillis": -1,
            "log": {"level": "LOUD"},
            "awsSecretAccessKey": "hidden",
            "assumeRoleARN": ["hidden"],
            "flows": [
                {"filePattern": "/x", "deliveryStream": "a", "kinesisStream": "b"},
                {"filePattern": "/x/"},
                {"kinesisStream": "a b", "partitionKeyOption": "SOMETIMES", "retryInitialBackoffMillis": "20000"},
                {**FLOW_LINE, "maxBufferAgeMillis": 500, "maxBufferSizeRecords": 501, "skipHeaderLines": "many"},
                {**FLOW_LINE, "multiLineStartPattern": "(", "aggregation": True, "truncatedRecordTerminator": 7},
                {**FLOW_LINE, "dataProcessingOptions": [{"optionName": "SINGLELINE"}, {"optionName": "CSVTOJSN"}]},
                {**FLOW_LINE, "dataProcessingOptions": {}},
                None,
            ],
        },
    )
    assert [problem.partition(":")[0] for problem in found] == [
        "shutdownTimeoutMillis",
        "log.level",
        "assumeRoleARN",
        "flows[0]",
        "flows[1].filePattern",
        "flows[1]",
        "flows[2].kinesisStream",
        "flows[2].partitionKeyOption",
        "flows[2].filePattern",
        "flows[2].retryInitialBackoffMillis",
        "flows[3].maxBufferAgeMillis",
        "flows[3].maxBufferSizeRecords",
        "flows[3].skipHeaderLines",
        "flows[4].truncatedRecordTerminator",
        "flows[4].multiLineStartPattern",
        "flows[4].aggregation",
        "flows[5].dataProcessingOptions[1].optionName",
        "flows[6].dataProcessingOptions",
        "flows[7]",
        "awsAccessKeyId, awsSecretAccessKey",
    ]
    assert "flows[3].maxBufferAgeMillis: 500 must be 1,000 to 900,000" in found
    assert "flows[2].retryInitialBackoffMillis: 20,000 is more than retryMaxBackoffMillis, 10,000" in found
    assert 'flows[2].partitionKeyOption: "SOMETIMES" must be one of RANDOM, DETERMINISTIC, FILE' in found


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    (first, _) = problems(tmp_path, {"awsSecretAccessKey": ["hush"], "awsAccessKeyId": "id", "flows": [FLOW_LINE]})
    assert first == "awsSecretAccessKey: must be a text"


@pytest.mark.parametrize("value", [True, 1.5, "", "1e3", "9" * 5000, [1], {}])
def test_what_is_no_number(tmp_path: Path, value: object) -> None:
    (problem,) = problems(tmp_path, {"maxSendingThreads": value, "flows": [FLOW_LINE]})
    assert problem.startswith("maxSendingThreads: ")
    assert problem.endswith("must be a whole number")
    assert len(problem) < 140


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        ("emitMetrics", "emitMetrics: is no key that is known, and ignored; did you mean cloudwatch.emitMetrics?"),
        ("maxSendingThread", "maxSendingThread: is no key that is known, and ignored; did you mean maxSendingThreads?"),
        ("checkpointfile", "checkpointfile: is no key that is known, and ignored; did you mean checkpointFile?"),
        ("maxBufferSizeRecords", "maxBufferSizeRecords: is ignored here: it belongs into a flow"),
        ("zzz", "zzz: is no key that is known, and ignored"),
    ],
)
def test_unknown_keys_are_warnings(tmp_path: Path, key: str, warning: str) -> None:
    assert load_config(written(tmp_path, {key: 1, "flows": [FLOW_LINE]})).warnings == [warning]


def test_credentials_of_a_java_class_are_a_warning(tmp_path: Path) -> None:
    document = {"userDefinedCredentialsProvider": {"classname": "a.B"}, "flows": [FLOW_LINE]}
    (warning,) = load_config(written(tmp_path, document)).warnings
    assert warning.startswith(
        "userDefinedCredentialsProvider.classname: is ignored: a Java class cannot be called here"
    )


def test_unknown_keys_of_groups_and_flows_are_warnings(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"cloudwatch": {"emitMetric": 1}, "flows": [{**FLOW_LINE, "log.level": 1, "filepattern": "/y"}]}
    )
    assert load_config(path).warnings == [
        "cloudwatch.emitMetric: is no key that is known, and ignored; did you mean cloudwatch.emitMetrics?",
        "flows[0].log.level: is ignored here: it belongs outside of flows",
        "flows[0].filepattern: is no key that is known, and ignored; did you mean filePattern?",
    ]


def test_values_that_are_odd_together_are_warnings(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "checkpointFile": "/var/run/aws-kinesis-agent/checkpoints",
            "assumeRoleExternalId": "x",
            "flows": [
                {**FLOW_LINE, "partitionKeyOption": "RANDOM", "maxBufferSizeBytes": 1000},
                {"filePattern": "/x", "kinesisStream": "s", "aggregatedRecordSizeBytes": 1000},
                {"filePattern": "/y", "kinesisStream": "s", "aggregatedRecordSizeBytes": 1000, "aggregation": True},
            ],
        },
    )
    keys = [warning.partition(":")[0] for warning in load_config(path).warnings]
    assert keys == [
        "flows[0].partitionKeyOption",
        "flows[0].maxBufferSizeBytes",
        "flows[1].aggregatedRecordSizeBytes",
        "assumeRoleExternalId",
        "checkpointFile",
    ]


def test_a_secret_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, {"awsAccessKeyId": "id", "awsSecretAccessKey": "hidden", "flows": [FLOW_LINE]})
    assert load_config(path).warnings == []
    path.chmod(0o644)
    (warning,) = load_config(path).warnings
    assert warning == f"awsSecretAccessKey: can be read by everybody on this machine: chmod o-r {path}"


def test_files_of_agent_d_add_flows(tmp_path: Path) -> None:
    extra = tmp_path / "agent.d"
    extra.mkdir()
    for name, stream in (("20-b.json", "b"), ("10-a.conf", "a")):
        (extra / name).write_text(json.dumps({"flows": [{"filePattern": f"/var/log/{name}", "kinesisStream": stream}]}))
    (extra / "20-b.json.rpmsave").write_text("nonsense")
    (extra / ".hidden").write_text("nonsense")
    config, warnings = load_config(written(tmp_path, {"log": {"level": "INFO"}}))
    assert [flow.kinesis_stream for flow in config.flows] == ["a", "b"]
    assert warnings == [
        "agent.d/.hidden is left out: its name is that of a copy",
        "agent.d/20-b.json.rpmsave is left out: its name is that of a copy",
    ]


def test_what_is_wrong_in_agent_d_names_its_file(tmp_path: Path) -> None:
    extra = tmp_path / "agent.d"
    extra.mkdir()
    (extra / "a").write_text(json.dumps({"log.level": "INFO", "flows": [FLOW_LINE]}))
    (extra / "b").write_text(
        json.dumps({"flows": [{"filePattern": "/x", "kinesisStream": "s", "aggregation": "maybe"}]})
    )
    (extra / "c").write_text("{]")
    with pytest.raises(ConfigProblems) as raised:
        load_config(written(tmp_path, {"flows": [FLOW_LINE]}))
    assert raised.value.problems == [
        'agent.d/b: flows[0].aggregation: "maybe" must be true or false',
        f"{extra / 'c'}, line 1, column 2: no valid JSON: expecting property name enclosed in double quotes",
        "agent.d/a: flows[0]: sends /var/log/app.log* to orders, as flows[0] does already",
    ]
    assert raised.value.warnings == ["agent.d/a: log.level: ignored: files of agent.d add flows, and nothing else"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no valid JSON: expecting value"),
        ('{"flows": [],}', "a comma too many before the end"),
        ("{'flows': []}", "names and texts stand in double quotes"),
        ('{\n# flows\n"flows": []}', "# begins no comment here"),
        ('{"a": 1 /* for ever', "the comment has no end"),
        ('{"a": "b" "flows": []}', "no valid JSON: expecting ',' delimiter"),
        ("[]", "holds a list: it must hold an object"),
        ("{}", "flows: is missing"),
        ('{"flows": {}}', "flows: {} must be a list of flows"),
        ("[" * 100_000, "is no JSON that can be read"),
        ('{"flows": [{"filePattern": "/log/\\ud800"}]}', r"holds \ud800, which is half a character"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: str, problem: str) -> None:
    (found,) = problems(tmp_path, content)
    assert problem in found


def test_places_in_files_count_comments(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, '/* one\n two */ {\n  "a": 1, // three\n  oops')
    assert found.startswith(f"{tmp_path / 'agent.json'}, line 4, column 3: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match=r"gone\.json cannot be read: No such file or directory"):
        load_config(tmp_path / "gone.json")
    (tmp_path / "agent.json").write_bytes(b'{"flows": "\xff"}')
    with pytest.raises(ConfigProblems, match="is not UTF-8: byte 11 is 0xff"):
        load_config(tmp_path / "agent.json")


def test_names_given_twice_are_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, f'{{"log.level": "INFO", "flows": [], "flows": [{json.dumps(FLOW_LINE)}]}}')
    config, (warning,) = load_config(path)
    assert len(config.flows) == 1
    assert warning == f"{path}: flows given more than once in one object: the last one counts"


@pytest.mark.parametrize("directory", ["", "not/there/yet/"])
@pytest.mark.parametrize("key", ["rejectsFile", "log.file", "checkpointFile"])
def test_a_flow_does_not_follow_what_the_agent_writes(tmp_path: Path, key: str, directory: str) -> None:
    document: dict[str, Any] = {"flows": [{**FLOW_LINE, "filePattern": f"{tmp_path}/**/*.log"}]}
    (document["flows"][0] if key == "rejectsFile" else document)[key] = f"{tmp_path}/{directory}own.log"
    (problem,) = problems(tmp_path, document)
    assert problem.startswith(f"flows[0].filePattern: matches {tmp_path}/{directory}own.log, which the agent itself")


def test_relative_paths_are_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    found = flow(tmp_path, filePattern="logs/*.log", rejectsFile="~/rejects")
    assert (found.file_pattern, found.rejects_file) == (f"{tmp_path}/logs/*.log", "/home/somebody/rejects")


def test_checkpoints_are_where_they_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert loaded(tmp_path).checkpoint_file == f"{tmp_path}/millstream-agent/checkpoints"
    assert loaded(tmp_path, checkpointFile="/x/y").checkpoint_file == "/x/y"


def test_an_endpoint_for_everything(tmp_path: Path) -> None:
    config = loaded(tmp_path, **{"firehose.endpoint": "firehose.us-east-1.amazonaws.com", "sts.endpoint": "sts.x"})
    local = with_endpoint(config, "http://127.0.0.1:1")
    changed = {name for name in config.__struct_fields__ if getattr(config, name) != getattr(local, name)}
    assert changed == {"kinesis_endpoint", "firehose_endpoint", "cloudwatch_endpoint", "sts_endpoint"}
    assert msgspec.structs.replace(local, sts_endpoint="sts.x").firehose_endpoint == "http://127.0.0.1:1"


def test_every_key_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "agent.md").read_text()
    keys = {
        key
        for line in text.splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    assert {*GLOBAL, *FLOW, "flows", "dataProcessingOptions"} <= keys
