"""A certificate authority for one server's lifetime, and its certificate for the loopback interface."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=30)
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smartdc emulator")])
_HERE = [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1"))]


def write_certificates(folder: Path) -> tuple[str, str]:
    """Write the authority's certificate and the server's chain with its key, and return both paths.

    Next to them are chains that a client must reject, named after the faults that present them.
    """
    root_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    root = _root(root_key)
    ca = folder / "ca.pem"
    chain = folder / "server.pem"
    write_private(ca, root.public_bytes(Encoding.PEM))
    _write_chain(chain, _leaf(key, root.subject, root_key), key)
    _write_chain(folder / "expired.pem", _leaf(key, root.subject, root_key, age=2 * _LIFETIME), key)
    elsewhere = [x509.DNSName("elsewhere.invalid")]
    _write_chain(folder / "misnamed.pem", _leaf(key, root.subject, root_key, names=elsewhere), key)
    _write_chain(folder / "self-signed.pem", _leaf(key, _NAME, key), key)
    return str(ca), str(chain)


def _write_chain(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(path, certificate.public_bytes(Encoding.PEM) + secret)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smartdc emulator authority")])
    builder = _builder(name, name, key.public_key(), key)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .sign(key, SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: Iterable[x509.GeneralName] = _HERE,
    age: timedelta = timedelta(days=1),
) -> x509.Certificate:
    return (
        _builder(_NAME, issuer, key.public_key(), issuer_key, age)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    age: timedelta = timedelta(days=1),
) -> x509.CertificateBuilder:
    issued = datetime.now(UTC) - age
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(issued)
        .not_valid_after(issued + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(identifier, critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
