"""The self-signed certificate is good for this machine, kept, and renewed in time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509

from millstream.server.certificate import self_signed

NOW = dt.datetime(2026, 1, 27, tzinfo=dt.UTC)


def test_it_names_this_machine_and_the_host(tmp_path: Path) -> None:
    path, key_path = self_signed(tmp_path / "tls", "streams.example.org", NOW)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "streams.example.org"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    assert key_path.stat().st_mode & 0o777 == 0o600


def test_it_is_kept_until_it_is_about_to_expire_or_lacks_the_host(tmp_path: Path) -> None:
    made = self_signed(tmp_path, "127.0.0.1", NOW)[0].read_bytes()
    assert self_signed(tmp_path, "127.0.0.1", NOW + dt.timedelta(days=700))[0].read_bytes() == made
    renewed = self_signed(tmp_path, "127.0.0.1", NOW + dt.timedelta(days=800))[0].read_bytes()
    assert renewed != made
    assert self_signed(tmp_path, "10.0.0.7", NOW + dt.timedelta(days=800))[0].read_bytes() != renewed
