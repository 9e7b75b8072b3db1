"""Applications started, stopped, failing, deleted; and a server that stops in between."""

from __future__ import annotations

import pytest

from millstream.analytics.model import Start, Status
from millstream.analytics.ports import FoundSource
from millstream.catalog import CatalogError
from support.analytics_plane import CODE, JOIN_CODE, STREAM, AnalyticsPlane, an_input, an_output, refusal


@pytest.fixture
def plane() -> AnalyticsPlane:
    return AnalyticsPlane()


async def delete(plane: AnalyticsPlane) -> None:
    detail = await plane.detail()
    await plane.first("DeleteApplication", ApplicationName="app", CreateTimestamp=int(detail["CreateTimestamp"]))


async def test_an_application_starts_runs_and_stops(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.start()
    assert (await plane.detail())["ApplicationStatus"] == "STARTING"
    assert plane.runner.processes == {application.application_id: 1}
    plane.service.running(application.application_id, 1)
    detail = await plane.detail()
    assert detail["ApplicationStatus"] == "RUNNING"
    assert detail["ApplicationVersionId"] == 1
    (one,) = detail["InputDescriptions"]
    assert one["InputStartingPositionConfiguration"] == {"InputStartingPosition": "NOW"}
    await plane.first("StopApplication", ApplicationName="app")
    assert (await plane.detail())["ApplicationStatus"] == "STOPPING"
    plane.runner.end(application.application_id)
    assert (await plane.detail())["ApplicationStatus"] == "READY"


async def test_positions_are_looked_up_when_it_starts(plane: AnalyticsPlane) -> None:
    await plane.create()
    (one,) = (await plane.run(position="NOW")).inputs
    assert (one.source_id, one.start, one.position) == ("id-of-ticks", Start.NOW, 500)
    await stop(plane)
    (one,) = (await plane.run(position="TRIM_HORIZON")).inputs
    assert (one.start, one.position) == (Start.TRIM_HORIZON, 100)
    await stop(plane)
    (one,) = (await plane.run(position="LAST_STOPPED_POINT")).inputs
    assert (one.start, one.position) == (Start.LAST_STOPPED_POINT, None)
    assert plane.application().run == 3


async def test_what_was_never_read_has_no_last_stopped_point(plane: AnalyticsPlane) -> None:
    await plane.create()
    (one,) = (await plane.run(position="LAST_STOPPED_POINT")).inputs
    assert one.position == 500
    await stop(plane)
    plane.resources.sources[STREAM] = FoundSource("another of the same name", 0, 7)
    (one,) = (await plane.run(position="LAST_STOPPED_POINT")).inputs
    assert (one.source_id, one.position) == ("another of the same name", 7)


async def stop(plane: AnalyticsPlane) -> None:
    await plane.first("StopApplication", ApplicationName="app")
    plane.runner.end(plane.application().application_id)


async def test_the_second_api_starts_too_and_now_is_what_it_starts_at(plane: AnalyticsPlane) -> None:
    await plane.create()
    assert await plane.second("StartApplication", ApplicationName="app") == {}
    (one,) = plane.application().inputs
    assert one.position == 500
    await plane.second("StopApplication", ApplicationName="app", Force=True)
    plane.runner.end(plane.application().application_id)
    configuration = {"InputId": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "TRIM_HORIZON"}}
    run = {"SqlRunConfigurations": [configuration]}
    await plane.second("StartApplication", ApplicationName="app", RunConfiguration=run)
    (one,) = plane.application().inputs
    assert one.position == 100
    restored = {"ApplicationRestoreConfiguration": {"ApplicationRestoreType": "SKIP_RESTORE_FROM_SNAPSHOT"}}
    refused = await refusal(plane.second("StartApplication", ApplicationName="app", RunConfiguration=restored))
    assert refused.message.startswith("ApplicationRestoreConfiguration cannot be given")


async def test_only_what_is_ready_starts_and_only_what_runs_stops(plane: AnalyticsPlane) -> None:
    await plane.create()
    refused = await refusal(plane.first("StopApplication", ApplicationName="app"))
    assert refused == ("ResourceInUseException", "Application app is READY; this needs it to be RUNNING.", 400)
    await plane.start()
    assert (await refusal(plane.start())).code == "ResourceInUseException"
    assert (await refusal(plane.first("StopApplication", ApplicationName="app"))).code == "ResourceInUseException"


async def test_what_has_no_input_or_wrong_code_does_not_start(plane: AnalyticsPlane) -> None:
    await plane.create(Inputs=[])
    refused = await refusal(plane.first("StartApplication", ApplicationName="app", InputConfigurations=[]))
    assert refused.code == "InvalidApplicationConfigurationException"
    assert "AddApplicationInput" in refused.message
    await plane.create("lost", Outputs=[an_output("NOWHERE")])
    refused = await refusal(plane.start("lost"))
    assert refused.code == "InvalidApplicationConfigurationException"
    assert "in-application stream NOWHERE" in refused.message
    assert "OUT, SOURCE_SQL_STREAM_001, error_stream" in refused.message
    await plane.create("joining", ApplicationCode=JOIN_CODE)
    refused = await refusal(plane.start("joining"))
    assert "line" not in refused.message.splitlines()[0]
    assert refused.message.splitlines()[1].startswith("3:")


async def test_an_unknown_input_or_a_stream_that_is_gone_is_refused(plane: AnalyticsPlane) -> None:
    await plane.create()
    configuration = {"Id": "9.9", "InputStartingPositionConfiguration": {}}
    call = plane.first("StartApplication", ApplicationName="app", InputConfigurations=[configuration])
    refused = await refusal(call)
    assert refused[:2] == ("InvalidArgumentException", "The application has no InputId 9.9. It has 1.1.")
    del plane.resources.sources[STREAM]
    assert (await refusal(plane.start())).message == f"stream {STREAM} not found"


async def test_a_failure_makes_it_ready_and_is_kept_until_it_starts_again(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.run()
    plane.runner.end(application.application_id, "it ran out of memory")
    application = plane.application()
    assert (application.status, application.failure) == (Status.READY, "it ran out of memory")
    await plane.run()
    assert plane.application().failure is None


async def test_what_an_earlier_run_says_changes_nothing(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.run()
    await stop(plane)
    await plane.start()
    plane.service.running(application.application_id, 1)
    assert plane.application().status is Status.STARTING
    plane.service.ended(application.application_id, 1, "late news")
    assert plane.application().status is Status.STARTING
    plane.service.ended("of nobody", 1, None)
    plane.service.running("of nobody", 1)


async def test_a_process_that_ends_without_a_failure_while_it_is_wanted_is_replaced(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.run()
    plane.runner.end(application.application_id)
    assert plane.application().status is Status.RUNNING


async def test_deleting_a_ready_application_deletes_its_files_and_frees_its_name(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await delete(plane)
    assert (await plane.detail())["ApplicationStatus"] == "DELETING"
    assert (await refusal(delete(plane))).code == "ResourceInUseException"
    await plane.gone()
    assert plane.deleted == [application.application_id]
    assert (await plane.create()).application_id != application.application_id


async def test_deleting_a_running_application_waits_for_its_process(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.run()
    await delete(plane)
    assert plane.runner.stopping == {application.application_id}
    plane.scheduler.advance(60_000)
    assert plane.deleted == []
    plane.runner.end(application.application_id)
    await plane.gone()
    assert plane.deleted == [application.application_id]


async def test_a_delete_needs_the_time_of_creation(plane: AnalyticsPlane) -> None:
    await plane.create()
    seconds = int((await plane.detail())["CreateTimestamp"])
    call = plane.second("DeleteApplication", ApplicationName="app", CreateTimestamp=seconds + 1)
    assert (await refusal(call)).code == "InvalidArgumentException"
    await plane.second("DeleteApplication", ApplicationName="app", CreateTimestamp=seconds)
    await plane.gone()


async def test_a_new_server_has_processes_for_what_ran_and_ends_what_was_ending(plane: AnalyticsPlane) -> None:
    for name in ("ready", "runs", "stops", "goes"):
        await plane.create(name)
    for name in ("runs", "stops", "goes"):
        await plane.run(name)
    await plane.first("StopApplication", ApplicationName="stops")
    created = int((await plane.detail("goes"))["CreateTimestamp"])
    await plane.first("DeleteApplication", ApplicationName="goes", CreateTimestamp=created)
    plane.resources.found.clear()
    await plane.crash()
    assert list(plane.runner.processes) == [plane.application("runs").application_id]
    assert plane.resources.found == [STREAM]
    assert plane.application("stops").status is Status.READY
    await plane.gone("goes")
    assert [one.name for one in plane.service.applications()] == ["ready", "runs", "stops"]


async def test_a_new_server_starts_without_a_stream_that_is_gone(plane: AnalyticsPlane) -> None:
    await plane.create()
    await plane.run()
    del plane.resources.sources[STREAM]
    await plane.crash()
    assert len(plane.runner.processes) == 1


async def test_news_that_could_not_be_saved_is_saved_later(
    plane: AnalyticsPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = await plane.create()
    await plane.start()
    with monkeypatch.context() as full:
        full.setattr(plane.catalog, "put", _full_disk)
        plane.service.running(application.application_id, 1)
    assert plane.application().status is Status.STARTING
    plane.scheduler.advance(2_000)
    await plane.service.close()
    assert plane.application().status is Status.RUNNING


def _full_disk(*_: object) -> int:
    raise CatalogError("the disk is full")


async def test_parallel_inputs_have_streams_of_their_own(plane: AnalyticsPlane) -> None:
    code = CODE.replace("_001", "_002")
    await plane.create(ApplicationCode=code, Inputs=[an_input(InputParallelism={"Count": 2})])
    await plane.run()
