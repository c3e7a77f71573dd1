"""Writes a PEM bundle of CA certificates as a Java trust store (JKS, password "changeit").

Usage: java_truststore.py BUNDLE STORE

keytool needs a third of a second a certificate and writes the time and random salts into the store;
this takes milliseconds and gives the same bytes for the same bundle. The format is the JDK's
sun.security.provider.JavaKeyStore, version 2.
"""

import base64
import hashlib
import pathlib
import re
import struct
import sys

PASSWORD = "changeit"
PEM = re.compile(r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----(.*?)-----END", re.DOTALL)


def text(value):
    """A string as java.io.DataOutput.writeUTF writes it (ASCII only here)."""
    data = value.encode("ascii")
    return struct.pack(">H", len(data)) + data


def store(certificates):
    """The bytes of a trust store of the given DER certificates."""
    body = struct.pack(">IIi", 0xFEEDFEED, 2, len(certificates))
    for der in certificates:
        alias = hashlib.sha256(der).hexdigest()
        body += struct.pack(">i", 2) + text(alias) + struct.pack(">q", 0) + text("X.509")
        body += struct.pack(">i", len(der)) + der
    seal = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body
    return body + hashlib.sha1(seal).digest()


def main():
    bundle, output = map(pathlib.Path, sys.argv[1:3])
    pem = bundle.read_text(encoding="utf-8", errors="replace")
    certificates = sorted({base64.b64decode(body) for body in PEM.findall(pem)})
    if not certificates:
        sys.exit(f"{bundle} holds no certificate")
    output.write_bytes(store(certificates))


if __name__ == "__main__":
    main()
