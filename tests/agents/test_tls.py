"""Trusted certificates are read once, and again when the operator names others."""

import ssl

import pytest

from loopdeck.agents import tls


def test_they_are_read_once_for_all_and_again_for_others(monkeypatch, tmp_path):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    first = tls.trusted()
    assert tls.trusted() is first
    assert first.verify_mode == ssl.CERT_REQUIRED
    assert first.check_hostname
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    other = tls.trusted()
    assert other is not first
    assert tls.trusted() is other
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError):
        tls.trusted()
