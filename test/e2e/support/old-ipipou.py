#!/usr/bin/python3
"""Both ends of ipipou 0.1's wire protocol, written from its description with PyNaCl: another hand's bytes.

  old-ipipou.py client ADDRESS PORT   sends authentications from there, and says what is answered
  old-ipipou.py server ADDRESS PORT   verifies authentications that come there, and answers them

One JSON object a line on stdin:
  client: {"to": [ADDRESS, PORT], "seed" | "token", "secret", "more", "key"}
          "more" are bytes behind the salt; "key" is the server's public key.
  server: {"key" | "token", "secret", "seed", "answer"}   replaces what it knows, from then on
          "answer" is signed, reversed, junk or none.
Bytes are hexadecimal. It prints one line for each packet: what it was, and what was made of it.
"""
import json
import os
import select
import socket
import sys
import time

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey


def proof(seed, secret, more=b""):
    signed = int(time.time()).to_bytes(5, "big") + os.urandom(4) + more
    return SigningKey(seed).sign(signed + secret).signature + signed


def is_proof(payload, key, secret):
    try:
        VerifyKey(key).verify(payload[64:] + secret, payload[:64])
    except (BadSignatureError, ValueError, TypeError):
        return False
    return abs(int.from_bytes(payload[64:69], "big") - time.time()) < 60


def say(*words):
    print(*words, flush=True)


def unhex(ask, name):
    return bytes.fromhex(ask.get(name, ""))


class Client:
    sent = b""
    ask = {}

    def told(self, ask):
        self.ask = ask
        if "seed" in ask:
            self.sent = proof(unhex(ask, "seed"), unhex(ask, "secret"), unhex(ask, "more"))
        else:
            self.sent = unhex(ask, "token")
        outer.sendto(self.sent, tuple(ask["to"]))
        say("sent", len(self.sent))

    def heard(self, payload, source):
        if payload == self.sent[::-1]:
            what = "reversed"
        elif is_proof(payload, unhex(self.ask, "key"), unhex(self.ask, "secret")):
            what = "signed"
        else:
            what = "unknown"
        say("answer", what, len(payload), "from", "%s:%d" % source)


class Server:
    ask = {}

    def told(self, ask):
        self.ask = ask
        say("knows")

    def heard(self, payload, source):
        secret = unhex(self.ask, "secret")
        if "token" in self.ask:
            good = payload == unhex(self.ask, "token")
        else:
            good = is_proof(payload, unhex(self.ask, "key"), secret)
        answers = {
            "signed": lambda: proof(unhex(self.ask, "seed"), secret),
            "reversed": lambda: payload[::-1],
            "junk": lambda: os.urandom(len(payload)),
        }
        answer = answers.get(self.ask.get("answer"))
        if good and answer is not None:
            outer.sendto(answer(), source)
        say("good" if good else "bad", len(payload), "from", "%s:%d" % source)


end = {"client": Client, "server": Server}[sys.argv[1]]()
outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
outer.bind((sys.argv[2], int(sys.argv[3])))
say("open")
while True:
    for ready in select.select([sys.stdin, outer], [], [])[0]:
        if ready is outer:
            end.heard(*outer.recvfrom(65535))
            continue
        line = os.read(0, 65536).decode()
        if line == "":
            sys.exit(0)
        for ask in line.splitlines():
            end.told(json.loads(ask))
