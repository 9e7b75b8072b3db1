"""Tokens that callers hand back and cannot forge."""

from __future__ import annotations

import pytest

from millstream.security import TokenInvalid, TokenSealer


def test_a_token_opens_for_its_purpose_under_its_secret() -> None:
    sealer = TokenSealer(b"secret")
    token = sealer.seal(b"payload", b"iterator")
    assert sealer.open(token, b"iterator") == b"payload"
    assert TokenSealer(b"secret").open(token, b"iterator") == b"payload"
    with pytest.raises(TokenInvalid):
        sealer.open(token, b"next token")
    with pytest.raises(TokenInvalid):
        TokenSealer(b"other").open(token, b"iterator")


def test_every_token_is_another() -> None:
    sealers = [TokenSealer(b"secret") for _ in range(3)]
    tokens = {sealer.seal(b"payload", b"") for sealer in sealers for _ in range(100)}
    assert len(tokens) == 300


def test_a_spent_counter_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millstream.security.tokens._COUNTER_END", 4)
    sealer = TokenSealer(b"secret")
    tokens = [sealer.seal(b"payload", b"") for _ in range(10)]
    assert len(set(tokens)) == 10
    assert all(sealer.open(token, b"") == b"payload" for token in tokens)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "é", "!!!!", "A" * 40, "A" * 41, " ", "\n", "\0"])
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(TokenInvalid):
        TokenSealer(b"secret").open(text, b"")


def test_a_token_changed_anywhere_is_none() -> None:
    sealer = TokenSealer(b"secret")
    token = sealer.seal(b"8 octets", b"")
    for place in range(len(token)):
        changed = token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
        with pytest.raises(TokenInvalid):
            sealer.open(changed, b"")
    for other in (token + "\n", token[:-4], " " + token):
        with pytest.raises(TokenInvalid):
            sealer.open(other, b"")
