"""The first keyring: KMS keys that exist only as derivations of one root key.

    root key ──HKDF-SHA256(info = key ARN)──► key encryption key ──AES-256-GCM──► wrapped data key

    wrapped data key: nonce (12 bytes) | sealed data key (32 bytes) | tag (16 bytes)          aad = key ARN

Nothing but the root key has to be kept safe, and a key's ARN is all that is needed to have the key again. The
AWS-managed key alias/aws/kinesis exists in every account and region; other keys exist once they were made.
"""

from __future__ import annotations

import os
import re
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from millstream.base.errors import MillstreamError

ROOT_KEY_BYTES = 32
NONCE_BYTES = 12

_AWS_MANAGED = "alias/aws/kinesis"
_ARN = re.compile(r"arn:aws[^:]*:kms:([^:]+):(\d{12}):((?:key|alias)/.+)")
_KEY_SPACE = uuid.UUID("6f0c6c1c-3c55-4d6a-9d5b-2f5b8d9f2a61")


class KeyUnknown(MillstreamError):
    """No such KMS key in this account and region."""


class SealBroken(MillstreamError):
    """Sealed bytes that were altered, or sealed with another key."""


class Keyring:
    """KMS keys by account and region, enough to wrap data keys with."""

    def __init__(self, root_key: bytes) -> None:
        if len(root_key) != ROOT_KEY_BYTES:
            raise MillstreamError(f"the root key must have {ROOT_KEY_BYTES} bytes, not {len(root_key)}")
        self._root_key = root_key
        self._made: set[str] = set()
        self._key_ciphers: dict[str, AESGCM] = {}

    def create_key(self, account: str, region: str) -> str:
        """Make a customer-managed key; returns its ARN."""
        arn = f"arn:aws:kms:{region}:{account}:key/{uuid.uuid4()}"
        self._made.add(arn)
        return arn

    def ensure_key(self, account: str, region: str, key_id: str) -> str:
        """The ARN of the key that `key_id` names: a key id, an alias name, or the ARN of a key or an alias.

        Raises KeyUnknown.
        """
        match = _ARN.fullmatch(key_id)
        if match:
            key_region, key_account, resource = match.groups()
        else:
            key_region, key_account = region, account
            resource = key_id if key_id.startswith("alias/") else f"key/{key_id}"
        if resource == _AWS_MANAGED and (key_account, key_region) == (account, region):
            return _aws_managed_arn(account, region)
        arn = f"arn:aws:kms:{key_region}:{key_account}:{resource}"
        if arn not in self._made and arn != _aws_managed_arn(account, region):
            raise KeyUnknown(key_id)
        return arn

    def generate_data_key(self, key_arn: str) -> tuple[bytes, bytes]:
        """A new 256-bit data key: as it is, and wrapped by the key."""
        plaintext = AESGCM.generate_key(256)
        nonce = os.urandom(NONCE_BYTES)
        return plaintext, nonce + self._key_cipher(key_arn).encrypt(nonce, plaintext, key_arn.encode())

    def unwrap(self, key_arn: str, wrapped: bytes) -> bytes:
        """The data key that `generate_data_key` wrapped. Raises SealBroken."""
        try:
            cipher = self._key_cipher(key_arn)
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_arn.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"a data key wrapped by {key_arn} does not open: wrong root key?") from error

    def _key_cipher(self, key_arn: str) -> AESGCM:
        cipher = self._key_ciphers.get(key_arn)
        if cipher is None:
            derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"millstream kms " + key_arn.encode())
            cipher = self._key_ciphers[key_arn] = AESGCM(derive.derive(self._root_key))
        return cipher


def _aws_managed_arn(account: str, region: str) -> str:
    return f"arn:aws:kms:{region}:{account}:key/{uuid.uuid5(_KEY_SPACE, f'{account}/{region}')}"
