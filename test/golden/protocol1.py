#!/usr/bin/python3
"""Protocol 1 by PyNaCl, the judge of src/wire/protocol1.ts. Needs Debian's python3-nacl.

Reads one JSON object a line on stdin and answers each with one on stdout:
  {"do": "build", "seed", "time", "salt", "secret"}       -> {"payload", "publicKey"}
  {"do": "verify", "payload", "publicKey", "secret"}      -> {"ok"}
Bytes are hexadecimal.
"""
import json
import sys

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

for line in sys.stdin:
    ask = json.loads(line)
    secret = bytes.fromhex(ask["secret"])
    if ask["do"] == "build":
        key = SigningKey(bytes.fromhex(ask["seed"]))
        signed = ask["time"].to_bytes(5, "big") + bytes.fromhex(ask["salt"])
        payload = key.sign(signed + secret).signature + signed
        answer = {"payload": payload.hex(), "publicKey": bytes(key.verify_key).hex()}
    else:
        payload = bytes.fromhex(ask["payload"])
        try:
            VerifyKey(bytes.fromhex(ask["publicKey"])).verify(payload[64:] + secret, payload[:64])
            answer = {"ok": True}
        except BadSignatureError:
            answer = {"ok": False}
    print(json.dumps(answer), flush=True)
