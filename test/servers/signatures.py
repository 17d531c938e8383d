"""Signs and verifies files with dkimpy, an implementation of DKIM (RFC 6376) that shares nothing with ours.

signatures.py sign KEY FILE...       puts a signature over all listed fields on top, simple or relaxed by turns
signatures.py verify RECORD FILE...  prints the files that do not verify; RECORD holds the key's TXT record
"""

import sys

import dkim

FIELDS = [b"from", b"to", b"subject", b"date", b"message-id", b"x-folded", b"mime-version", b"content-type",
          b"content-transfer-encoding"]


def read(path):
    with open(path, "rb") as file:
        return file.read()


command, given, *paths = sys.argv[1:]
secret = read(given)
for index, path in enumerate(paths):
    message = read(path)
    if command == "sign":
        kind = (b"simple", b"simple") if index % 2 == 0 else (b"relaxed", b"relaxed")
        signature = dkim.sign(message, b"test", b"source.test", secret, canonicalize=kind, include_headers=FIELDS)
        with open(path, "wb") as file:
            file.write(signature.replace(b"\r\n", b"\n") + message)
    elif not dkim.verify(message, dnsfunc=lambda name, timeout=5: secret):
        print(path)
