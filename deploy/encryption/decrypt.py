"""Decrypts a payload in Temporal's JSON: the format is in README.md. Needs the package `cryptography`."""

import hmac, json, os, sys
from base64 import b64decode
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

payload = json.load(sys.stdin)
metadata = {name: b64decode(value) for name, value in payload["metadata"].items()}
data = b64decode(payload["data"])
if metadata.get("encryption-format") != b"1":
    sys.exit("not in format 1")

hkdf = HKDF(SHA512(), length=64, salt=metadata["encryption-salt"], info=b"iam-orchestrator/payload/1")
derived = hkdf.derive(b64decode(os.environ["DATA_KEY"]))
key, commitment = derived[:32], derived[32:]
if not hmac.compare_digest(commitment, metadata["encryption-commitment"]):
    sys.exit("encrypted with another key")

parts = [part for name in sorted(metadata) for part in (name.encode(), metadata[name])]
additional = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
message = AESGCM(key).decrypt(data[:12], data[12:], additional)

while message:  # Protobuf: field 1 is an entry of the metadata, field 2 the data.
    field, length, at = message[0] >> 3, 0, 1
    while True:
        length |= (message[at] & 127) << 7 * (at - 1)
        at += 1
        if message[at - 1] < 128:
            break
    if field == 2:
        sys.stdout.buffer.write(message[at : at + length])
    message = message[at + length :]
