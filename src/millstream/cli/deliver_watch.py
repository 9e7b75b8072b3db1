"""`millstream deliver list`, `show`, `flush` and `errors`: how deliveries go."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from millstream.base.units import GIB, HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS
from millstream.cli.client import FIREHOSE, MILLSTREAM, CallError, Client, connect
from millstream.cli.errors import CommandError
from millstream.firehose.configuration import CopyCommand
from millstream.firehose.warehouse import console_text

FLUSH_MS = 20_000  # of one call; a flush makes as many as it has time for

_CREATE = "millstream deliver create first --to s3://first-bucket/first"

_S3 = "S3DestinationDescription"
_DESCRIPTION = "DestinationDescription"

Delivery = dict[str, Any]


def run_list(endpoint: str | None, environment: Mapping[str, str]) -> None:
    """Print the table. Raises CommandError."""
    deliveries = asyncio.run(_deliveries(endpoint, environment))
    console = _console()
    if not deliveries:
        console.print(f"No delivery streams. Make one: {_CREATE}")
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("DELIVERY STREAM", "STATUS"):
        table.add_column(heading, no_wrap=True)
    for heading in ("FROM", "TO"):
        table.add_column(heading, overflow="ellipsis")  # the columns that give way; `show` has them whole
    for heading in ("WAITING", "FOR", "RECORDS", "FAILED", "LAST DELIVERED"):
        table.add_column(heading, justify="right", no_wrap=True)
    now_s = time.time()
    for delivery in deliveries:
        table.add_row(*(escape(cell) for cell in _row(delivery, now_s)))
    console.print(table)
    for delivery in filter(_is_held_up, deliveries):
        console.print(f"[red]{escape(_why_held_up(delivery, now_s))}[/]", soft_wrap=True)


async def _deliveries(endpoint: str | None, environment: Mapping[str, str]) -> list[Delivery]:
    async with connect(endpoint, environment, FIREHOSE) as client:
        output = await client.of(MILLSTREAM).call_patiently("DescribeDeliveries")
    deliveries: list[Delivery] = output["Deliveries"]
    return deliveries


def _row(delivery: Delivery, now_s: float) -> list[str]:
    delivered_s = delivery.get("LastDeliveredTimestamp")
    return [
        delivery["DeliveryStreamName"],
        delivery["DeliveryStreamStatus"],
        source_text(delivery).removeprefix("stream "),
        _until_expression(delivery["Target"]),
        _waiting_text(delivery),
        age_text(delivery["OldestWaitingAgeMs"]) if "OldestWaitingAgeMs" in delivery else "",
        f"{delivery['DeliveredRecords']:,}",
        f"{delivery['FailedRecords']:,}" if delivery["FailedRecords"] else "",
        f"{age_text((now_s - delivered_s) * SECOND_MS)} ago" if delivered_s is not None else "",
    ]


def _is_held_up(delivery: Delivery) -> bool:
    """Whether something waits, and the last that is known of its delivery is an error."""
    failed_s = delivery.get("LastErrorTimestamp", 0)
    return bool(delivery.get("WaitingBytes")) and failed_s > delivery.get("LastDeliveredTimestamp", 0)


def _why_held_up(delivery: Delivery, now_s: float) -> str:
    return f"{delivery['DeliveryStreamName']}: {_last_error(delivery, now_s)}"


def _last_error(delivery: Delivery, now_s: float) -> str:
    age = age_text((now_s - delivery["LastErrorTimestamp"]) * SECOND_MS)
    return f"{_in_a_line(delivery['LastErrorMessage'])} ({age} ago)"


def _in_a_line(message: str) -> str:
    """A message that a destination worded, without its line ends."""
    return " ".join(message.split())


def run_show(endpoint: str | None, environment: Mapping[str, str], name: str) -> None:
    """Print all there is to say of a delivery stream. Raises CommandError."""
    delivery, description = asyncio.run(_show(endpoint, environment, name))
    console = _console()
    for label, text in _facts(delivery, description, time.time()):
        console.print(f"[dim]{label:<12}[/] {escape(text)}", soft_wrap=True)
    settings = description["Destinations"][0]
    console.print_json(data={key: value for key, value in settings.items() if key != "S3DestinationDescription"})


async def _show(endpoint: str | None, environment: Mapping[str, str], name: str) -> tuple[Delivery, dict[str, Any]]:
    async with connect(endpoint, environment, FIREHOSE) as client:
        return await describe(client, name), await _description(client, name)


async def _description(client: Client, name: str) -> dict[str, Any]:
    output = await client.call_patiently("DescribeDeliveryStream", DeliveryStreamName=name)
    description: dict[str, Any] = output["DeliveryStreamDescription"]
    return description


def _facts(delivery: Delivery, description: dict[str, Any], now_s: float) -> list[tuple[str, str]]:
    waiting = _waiting_text(delivery)
    if "OldestWaitingAgeMs" in delivery:
        waiting += f", the oldest for {age_text(delivery['OldestWaitingAgeMs'])}"
    size = size_text(delivery["DeliveredBytes"])
    failed = delivery["FailedRecords"]
    facts = [
        ("name", f"{delivery['DeliveryStreamName']} (version {description['VersionId']})"),
        ("status", delivery["DeliveryStreamStatus"]),
        ("failure", delivery.get("FailureDescription", "")),
        ("from", source_text(delivery)),
        ("to", f"{delivery['Target']} ({delivery['DestinationType']})"),
        ("copy", _copy_command(description)),
        ("waiting", waiting),
        ("delivered", f"{count_text(delivery['DeliveredRecords'])}, {size}{_parts_text(delivery['Deliveries'])}"),
        ("failed", f"{count_text(failed)}, kept in {error_place(description)}" if failed else ""),
    ]
    if "LastErrorMessage" in delivery:
        facts.append(("last error", _last_error(delivery, now_s)))
    return [(label, text) for label, text in facts if text]


def _copy_command(description: dict[str, Any]) -> str:
    """The COPY command of a warehouse, to be tried by hand; "" for other destinations."""
    settings = description["Destinations"][0].get("RedshiftDestinationDescription")
    if settings is None:
        return ""
    objects = settings[_S3]
    bucket = objects["BucketARN"].rpartition(":")[2]
    return console_text(msgspec.convert(settings["CopyCommand"], CopyCommand), bucket, objects.get("Prefix", ""))


def error_place(description: dict[str, Any]) -> str:
    """Where records are that could not be delivered."""
    destination = description["Destinations"][0]
    settings: dict[str, Any] = next(
        (destination[kind] for kind in destination if kind.endswith(_DESCRIPTION) and kind != _S3), {}
    )
    objects = settings if "BucketARN" in settings else settings.get(_S3, {})
    bucket = objects.get("BucketARN", "").rpartition(":")[2]
    prefix = objects.get("ErrorOutputPrefix") or objects.get("Prefix", "")
    return f"s3://{bucket}/{_until_expression(prefix)}"


def _until_expression(text: str) -> str:
    """What a prefix always begins with: expressions are too long to be read in a row."""
    always, expression, _ = text.partition("!{")
    return f"{always}…" if expression else text


def run_flush(endpoint: str | None, environment: Mapping[str, str], name: str, timeout_s: float) -> None:
    """Flush and say where the data went. Raises CommandError if it is not all delivered in time."""
    print(asyncio.run(_flush(endpoint, environment, name, timeout_s)))


async def _flush(endpoint: str | None, environment: Mapping[str, str], name: str, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    async with connect(endpoint, environment, FIREHOSE) as client:
        await describe(client, name)
        while True:
            left_ms = max(0, round((deadline - time.monotonic()) * SECOND_MS))
            output = await client.of(MILLSTREAM).call_patiently(
                "FlushDeliveryStream", DeliveryStreamName=name, TimeoutMs=min(FLUSH_MS, left_ms)
            )
            if output["Delivered"]:
                return await _what_was_flushed(client, name)
            if time.monotonic() >= deadline or "WaitingBytes" not in output:
                raise CommandError(_why_not_flushed(await describe(client, name), output, timeout_s))


async def _what_was_flushed(client: Client, name: str) -> str:
    delivery = await describe(client, name)
    done = f"all of {name} is delivered to {delivery['Target']}"
    if not (failed := delivery["FailedRecords"]):
        return done
    place = error_place(await _description(client, name))
    return (
        f"{done}, but for {count_text(failed)} so far that could not be: "
        f"see {place} and `millstream deliver errors {name}`"
    )


def _why_not_flushed(delivery: Delivery, output: dict[str, Any], timeout_s: float) -> str:
    name = delivery["DeliveryStreamName"]
    if "WaitingBytes" not in output:
        return f"the data stream that {name} reads is gone: nothing more can be delivered"
    why = delivery.get("LastErrorMessage")
    because = f"the last error is {_in_a_line(why)!r}" if why else "no error is known"
    return (
        f"{size_text(output['WaitingBytes'])} of {name} still wait after {timeout_s:g} s: {because}; "
        f"nothing is lost, and delivery goes on (`millstream deliver errors {name}`)"
    )


def run_errors(endpoint: str | None, environment: Mapping[str, str], name: str, limit: int) -> None:
    """Print the newest errors, a line each, the newest last. Raises CommandError."""
    output, delivery = asyncio.run(_errors(endpoint, environment, name, limit))
    console = _console()
    for error in reversed(output["Errors"]):
        console.print(escape(error_line(error)), soft_wrap=True)
    if output["Errors"]:
        return
    console.print(f"No errors of {name}." if output["LoggingEnabled"] else f"{name} does not log its errors.")
    if (last := delivery.get("LastErrorMessage")) is not None:
        console.print(escape(f"The last one was: {_in_a_line(last)}"), soft_wrap=True)


async def _errors(
    endpoint: str | None, environment: Mapping[str, str], name: str, limit: int
) -> tuple[dict[str, Any], Delivery]:
    async with connect(endpoint, environment, FIREHOSE) as client:
        delivery = await describe(client, name)
        parameters = {"DeliveryStreamName": name, "Limit": limit}
        return await client.of(MILLSTREAM).call_patiently("GetDeliveryErrors", **parameters), delivery


async def describe(client: Client, name: str) -> Delivery:
    """How one delivery stream's delivery goes. Raises CommandError if there is no such delivery stream."""
    try:
        output = await client.of(MILLSTREAM).call_patiently("DescribeDeliveries", DeliveryStreamName=name)
    except CallError as error:
        if error.code == "ResourceNotFoundException":
            raise CommandError(
                f"there is no delivery stream {name}: `millstream deliver list` shows what there is"
            ) from error
        raise
    delivery: Delivery = output["Deliveries"][0]
    return delivery


def error_line(error: dict[str, Any]) -> str:
    """An error event in a line: when, what, how often."""
    time_text = dt.datetime.fromtimestamp(error["Timestamp"]).astimezone().isoformat(" ", "seconds")
    try:
        event = json.loads(error["Message"])
        text = _in_a_line(f"{event['errorCode']}: {event['message']}")
    except (ValueError, KeyError, TypeError):
        return f"{time_text}  {error['Message']}"
    repeated = f" (and {event['repetitions']} times before)" if event.get("repetitions") else ""
    return f"{time_text}  {text}{repeated}"


def source_text(delivery: Delivery) -> str:
    """Where a delivery stream's records come from."""
    arn = delivery.get("KinesisStreamARN")
    return f"stream {arn.rpartition('/')[2]}" if arn else "direct put"


def _waiting_text(delivery: Delivery) -> str:
    waiting = delivery.get("WaitingBytes")
    return "source is gone" if waiting is None else size_text(waiting) if waiting else "nothing"


def count_text(records: int) -> str:
    """So many records."""
    return f"{records:,} record{'' if records == 1 else 's'}"


def _parts_text(deliveries: int) -> str:
    return f", in {deliveries:,} deliveries" if deliveries > 1 else ""


def size_text(size_bytes: int) -> str:
    """A size in the unit that suits it."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} bytes"


def age_text(age_ms: float) -> str:
    """A span of time in the unit that suits it."""
    if age_ms >= 48 * HOUR_MS:
        return f"{age_ms / (24 * HOUR_MS):.0f} days"
    for unit_ms, name in ((HOUR_MS, "h"), (MINUTE_MS, "min")):
        if age_ms >= 2 * unit_ms:
            return f"{age_ms / unit_ms:.0f} {name}"
    return f"{max(0.0, age_ms) / SECOND_MS:.0f} s"


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)
