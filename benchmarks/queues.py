"""What the RabbitMQ connector costs: a queue full of messages into a delivery stream of a live Millstream.

Broker, connector and server share the machine's cores. A figure is messages by the seconds from the first one that is
in to the last, and the connector's CPU time by message. The broker is the one of the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.client import Client
from benchmarks.figures import Figures
from benchmarks.load import LoadError
from benchmarks.process import Running
from benchmarks.rendering import MILLSTREAM, STREAM_NAME

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.rabbitmq import OwnBroker, is_installed

MESSAGES = 200_000
MESSAGE_BYTES = 500
_SECONDS_MAX = 120
_POLL_S = 0.05

Say = Callable[[str], None]


def measure_queue(running: Running, directory: Path, say: Say) -> Figures:
    """The figures of a round; none where RabbitMQ is not installed. Raises LoadError if not all arrives."""
    if not is_installed():
        say("queue: not measured: rabbitmq-server is not installed")
        return {}
    owned = OwnBroker(directory / f"broker-{time.monotonic_ns()}")
    try:
        queue = owned.start().broker.queue(STREAM_NAME)
        with Client(running.port) as client:
            client.create_delivery_stream()
        worker = running.worker()
        say(f"queue: {MESSAGES:,} messages")
        queue.publish(os.urandom(MESSAGE_BYTES // 2).hex().encode() for _ in range(MESSAGES))
        with worker.held():  # delivery has its own figures
            return _drain(running, owned.broker.url)
    finally:
        owned.kill()


def _drain(running: Running, url: str) -> Figures:
    command = [str(Path(sys.executable).with_name("millstream")), "connect", "rabbitmq"]
    options = ["--queue", STREAM_NAME, "--deliver", STREAM_NAME, "--endpoint", f"http://127.0.0.1:{running.port}"]
    environment = os.environ | {"MILLSTREAM_RABBITMQ_URL": url}
    process = subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + _SECONDS_MAX
        while not _bytes_in(running):
            _check(process, deadline_s)
            time.sleep(_POLL_S)
        first_bytes, began_s = _bytes_in(running), time.perf_counter()
        while _bytes_in(running) < MESSAGES * MESSAGE_BYTES:
            _check(process, deadline_s)
            time.sleep(_POLL_S)
        seconds = time.perf_counter() - began_s
    finally:
        process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    messages = MESSAGES - first_bytes / MESSAGE_BYTES
    cpu_us = (usage.ru_utime + usage.ru_stime) / MESSAGES * 1e6
    return {"queue_messages": messages / seconds, "queue_cpu": cpu_us}


def _check(process: subprocess.Popen[bytes], deadline_s: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline_s:
        raise LoadError("the connector did not take all messages")


def _bytes_in(running: Running) -> int:
    with Client(running.port) as client:
        (told,) = client.call("DescribeDeliveries", service=MILLSTREAM, DeliveryStreamName=STREAM_NAME)["Deliveries"]
        waiting: int = told["WaitingBytes"]
        return waiting
