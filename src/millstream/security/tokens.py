"""Opaque tokens that callers hand back and cannot forge: shard iterators, NextTokens.

    text = base64( nonce (12 bytes) | ciphertext | tag (16 bytes) )             aad = purpose
    nonce = random prefix of this sealer (8 bytes) | counter (4 bytes); a spent counter draws a new prefix

A counter, because a server seals thousands of tokens a second for months: random nonces would come too near to a
repetition. Sealers with the same secret (a server before and after a restart) open each other's tokens.
"""

from __future__ import annotations

import os
from binascii import a2b_base64, b2a_base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from millstream.base.errors import MillstreamError

_NONCE_BYTES = 12
_TAG_BYTES = 16
_COUNTER_END = 1 << 32


class TokenInvalid(MillstreamError):
    """Not a token that this secret sealed for this purpose."""


class TokenSealer:
    """Seals small payloads into texts. From one thread."""

    def __init__(self, secret: bytes) -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"millstream tokens")
        self._cipher = AESGCM(derive.derive(secret))
        self._prefix = os.urandom(8)
        self._counter = 0

    def seal(self, payload: bytes, purpose: bytes) -> str:
        """The token of `payload`; only `open` with the same purpose takes it back."""
        if self._counter == _COUNTER_END:
            self._prefix, self._counter = os.urandom(8), 0
        nonce = self._prefix + self._counter.to_bytes(4, "big")
        self._counter += 1
        sealed = nonce + self._cipher.encrypt(nonce, payload, purpose)
        return b2a_base64(sealed, newline=False).decode("ascii")

    def open(self, text: str, purpose: bytes) -> bytes:
        """The payload of a token. Raises TokenInvalid for any other text."""
        try:
            sealed = a2b_base64(text, strict_mode=True)
            if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
                raise TokenInvalid("too short to be a token")
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose)
        except (ValueError, InvalidTag) as error:
            raise TokenInvalid("not a token of this server") from error
