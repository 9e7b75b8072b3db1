"""What a person can do about RabbitMQ's refusals."""

from __future__ import annotations

import ssl

import aiormq

from millstream.connect.rabbitmq.options import Options

_NO_VIRTUAL_HOST = 530

_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (
        aiormq.ProbableAuthenticationError,
        "RabbitMQ at {broker} does not let the user {user!r} in: check name and password (guest: from there only)",
    ),
    (aiormq.AuthenticationError, "RabbitMQ at {broker} takes no passwords: {error}"),
    (
        aiormq.ConnectionNotAllowed,
        "RabbitMQ at {broker} has no virtual host {host!r} for the user {user!r}: check URL and permissions",
    ),
    (aiormq.ChannelNotFoundEntity, "there is no queue {queue!r} at {broker}: declare it, or give --declare"),
    (aiormq.ChannelAccessRefused, "the user {user!r} may not read queue {queue!r}: give it the permission ({error})"),
    (aiormq.ChannelLockedResource, "queue {queue!r} is exclusive to another connection ({error})"),
    (
        ssl.SSLCertVerificationError,
        "the certificate of {broker} is not trusted: give --ca with the authority's certificate ({error})",
    ),
    (ssl.SSLError, "no TLS with {broker}: is that its port for TLS? ({error})"),
)


def advice_on(error: Exception, options: Options) -> str | None:
    """What to do about an error that does not pass by itself; None if it may."""
    kind = type(error)
    if isinstance(error, aiormq.ConnectionClosed) and error.args and error.args[0] == _NO_VIRTUAL_HOST:
        kind = aiormq.ConnectionNotAllowed
    for refused, text in _ADVICE:
        if issubclass(kind, refused):
            broker = options.broker
            return text.format(
                broker=broker, user=broker.user, host=broker.virtual_host, queue=options.queue, error=error
            )
    return None
