"""Security: the keyring, the data keys of logs, and sealed tokens.

Flows in: a root secret, key ids as callers give them, plaintext. Flows out: wrapped data keys and sealed bytes that
only the holder of the root secret opens. All ciphers are AES-256-GCM. Imports base, wire and catalog at most.
"""

from millstream.security.datakeys import DataKeyCipher
from millstream.security.keyring import Keyring, KeyUnknown, SealBroken
from millstream.security.tokens import TokenInvalid, TokenSealer

__all__ = ["DataKeyCipher", "KeyUnknown", "Keyring", "SealBroken", "TokenInvalid", "TokenSealer"]
