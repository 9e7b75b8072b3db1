"""The keyring and the data keys that it wraps."""

from __future__ import annotations

import pytest

from millstream.base.errors import MillstreamError
from millstream.security import DataKeyCipher, Keyring, KeyUnknown, SealBroken

ACCOUNT, REGION = "123456789012", "us-east-1"
ALIAS_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/kinesis"


@pytest.fixture
def keyring() -> Keyring:
    """A keyring."""
    return Keyring(b"r" * 32)


def test_the_aws_managed_key_is_everywhere_and_goes_by_four_names(keyring: Keyring) -> None:
    arn = keyring.ensure_key(ACCOUNT, REGION, "alias/aws/kinesis")
    assert arn.startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    for name in (ALIAS_ARN, arn, arn.rpartition("/")[2]):
        assert keyring.ensure_key(ACCOUNT, REGION, name) == arn
    elsewhere = {keyring.ensure_key(*place, "alias/aws/kinesis") for place in ((ACCOUNT, "x"), ("2" * 12, REGION))}
    assert arn not in elsewhere
    assert len(elsewhere) == 2
    assert Keyring(b"s" * 32).ensure_key(ACCOUNT, REGION, "alias/aws/kinesis") == arn


def test_keys_that_were_made_are_known(keyring: Keyring) -> None:
    arn = keyring.create_key(ACCOUNT, REGION)
    assert keyring.ensure_key(ACCOUNT, REGION, arn) == arn
    assert keyring.ensure_key(ACCOUNT, REGION, arn.rpartition("/")[2]) == arn
    assert keyring.ensure_key("210987654321", "eu-west-1", arn) == arn
    with pytest.raises(KeyUnknown):
        keyring.ensure_key("210987654321", REGION, arn.rpartition("/")[2])


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "alias/",
        "alias/mine",
        "12345678-1234-1234-1234-123456789012",
        ALIAS_ARN.replace("us-east-1", "eu-west-1"),
        "☃",
    ],
)
def test_other_keys_are_unknown(keyring: Keyring, key_id: str) -> None:
    with pytest.raises(KeyUnknown):
        keyring.ensure_key(ACCOUNT, REGION, key_id)


def test_data_keys_unwrap_under_the_same_root_and_key_only(keyring: Keyring) -> None:
    arn = keyring.ensure_key(ACCOUNT, REGION, "alias/aws/kinesis")
    plaintext, wrapped = keyring.generate_data_key(arn)
    assert len(plaintext) == 32
    assert plaintext not in wrapped
    assert Keyring(b"r" * 32).unwrap(arn, wrapped) == plaintext
    assert keyring.generate_data_key(arn)[0] != plaintext
    other = keyring.create_key(ACCOUNT, REGION)
    flipped = bytes([wrapped[0] ^ 1]) + wrapped[1:]
    for holder, key, sealed in (
        (keyring, other, wrapped),
        (Keyring(b"s" * 32), arn, wrapped),
        (keyring, arn, flipped),
        (keyring, arn, wrapped[:20]),
        (keyring, arn, b""),
    ):
        with pytest.raises(SealBroken):
            holder.unwrap(key, sealed)


def test_a_root_key_has_32_bytes() -> None:
    with pytest.raises(MillstreamError):
        Keyring(b"short")


class TestDataKeyCipher:
    """The cipher of a log's blocks."""

    @pytest.fixture
    def cipher(self, keyring: Keyring) -> DataKeyCipher:
        """A cipher with two data keys."""
        cipher = DataKeyCipher(keyring)
        for number in (1, 2):
            arn = keyring.ensure_key(ACCOUNT, REGION, "alias/aws/kinesis")
            cipher.hold(number, arn, keyring.generate_data_key(arn)[1])
        return cipher

    def test_blocks_open_with_the_key_that_sealed_them(self, cipher: DataKeyCipher) -> None:
        assert cipher.current() == 0
        cipher.use(2)
        assert cipher.current() == 2
        for number in (1, 2):
            sealed = cipher.seal(number, b"payload", b"header")
            assert b"payload" not in sealed
            assert cipher.open(number, sealed, b"header") == b"payload"
            for broken in (
                (3 - number, sealed, b"header"),
                (number, sealed, b"other"),
                (number, sealed[:-1], b"header"),
            ):
                with pytest.raises(SealBroken):
                    cipher.open(*broken)

    def test_a_key_that_is_not_there(self, cipher: DataKeyCipher) -> None:
        with pytest.raises(SealBroken):
            cipher.seal(3, b"payload", b"")
        with pytest.raises(SealBroken):
            cipher.open(3, b"sealed", b"")
