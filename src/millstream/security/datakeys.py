"""Encryption of a log's blocks with numbered data keys.

sealed block: nonce (12 bytes) | ciphertext | tag (16 bytes)
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from millstream.security.keyring import NONCE_BYTES, Keyring, SealBroken


class DataKeyCipher:
    """The block cipher of one log: holds its wrapped data keys, and unwraps one when a block first needs it.

    `seal` and `open` may be called from any thread.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._wrapped: dict[int, tuple[str, bytes]] = {}
        self._ciphers: dict[int, AESGCM] = {}
        self._current = 0

    def hold(self, number: int, key_arn: str, wrapped: bytes) -> None:
        """Have data key `number`, wrapped by a KMS key, ready for use."""
        self._wrapped[number] = (key_arn, wrapped)

    def use(self, number: int) -> None:
        """Seal new blocks with data key `number`; 0: leave them as they are."""
        self._current = number

    def current(self) -> int:
        """The number of the data key for new blocks; 0: do not encrypt."""
        return self._current

    def seal(self, number: int, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypt and authenticate with data key `number`. Raises SealBroken if that key does not unwrap."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(number).encrypt(nonce, plaintext, aad)

    def open(self, number: int, sealed: bytes, aad: bytes) -> bytes:
        """The inverse of `seal`. Raises SealBroken."""
        try:
            return self._cipher(number).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"a block sealed with data key {number} was altered") from error

    def _cipher(self, number: int) -> AESGCM:
        cipher = self._ciphers.get(number)
        if cipher is None:
            held = self._wrapped.get(number)
            if held is None:
                raise SealBroken(f"there is no data key {number}")
            cipher = self._ciphers[number] = AESGCM(self._keyring.unwrap(*held))
        return cipher
