#!/usr/bin/python3
"""Either end of footunnel as its wire format is described; not the program itself.

  old-footunnel.py client BROKER SECRET    sends a heartbeat, from port 42425 to port 42425, at once and for each line on stdin
  old-footunnel.py broker DEVICE           takes the sender of any heartbeat for the other end of DEVICE

The tunnels are made by hand beside it: FOU and ipip, port 42424 on both ends.
"""
import socket
import subprocess
import sys

PORT = 42425


def main():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", PORT))
    print("open", flush=True)
    if sys.argv[1] == "client":
        while True:
            udp.sendto(sys.argv[3].encode(), (sys.argv[2], PORT))
            print("sent", flush=True)
            if not sys.stdin.readline():
                return
    remote = None
    while True:
        _, (address, _) = udp.recvfrom(2048)
        if address != remote:
            change = ["ip", "tunnel", "change", sys.argv[2], "mode", "ipip", "remote", address]
            subprocess.run(change, check=True)
            remote = address
            print("remote", address, flush=True)


main()
