"""A self-signed certificate, so that clients which insist on HTTPS (the KPL, for one) can be served at once."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from millstream.server.datadir import write_private

LIFETIME_DAYS = 825  # the longest that Apple's and some Java clients accept
RENEW_DAYS = 30


def self_signed(directory: Path, host: str, now: dt.datetime) -> tuple[Path, Path]:
    """Paths of a certificate and its key in `directory` that are good for this machine's names and `host`.

    Made on first use, and again when it is about to expire or lacks `host`.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    certificate, key = directory / "cert.pem", directory / "key.pem"
    names = _names(host)
    if not (certificate.exists() and key.exists() and _serves(certificate.read_bytes(), names, now)):
        key_pem, certificate_pem = _make(names, now)
        write_private(key, key_pem)
        write_private(certificate, certificate_pem)
    return certificate, key


def _names(host: str) -> list[x509.GeneralName]:
    texts = dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), host])
    names: list[x509.GeneralName] = []
    for text in texts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            names.append(x509.DNSName(text))
    return names


def _serves(pem: bytes, names: list[x509.GeneralName], now: dt.datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(pem)
    if certificate.not_valid_after_utc - now < dt.timedelta(days=RENEW_DAYS):
        return False
    has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names) <= set(has)


def _make(names: list[x509.GeneralName], now: dt.datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Millstream self-signed")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)
