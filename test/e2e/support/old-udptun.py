#!/usr/bin/python3
"""A host that runs udptun, as its wire format and its hosts file are described; not the program itself.

  old-udptun.py DEVICE HOSTS-FILE [PORT]

Makes the TUN device DEVICE. Each packet from it goes as it is, one a UDP datagram, from a port that the system
chooses, to the host and port (7777) that the hosts file has for its destination; for one that nobody has, an
ICMP host unreachable comes back. What arrives at PORT (7777), from anyone, goes to the device if it is an IPv4
packet whose header length and total length fit. Hosts are addresses here. A line "read" on stdin reads the file
again; "raw xHEX ADDRESS" sends any bytes as an inner packet to that host.
"""
import fcntl
import json
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN = 1
IFF_NO_PI = 0x1000
PORT = 7777


def say(*words):
    print(*words, flush=True)


def read(path):
    with open(path, encoding="utf8") as file:
        nodes = json.load(file)["nodes"]
    return {
        socket.inet_aton(inner): (node["host"], node.get("port", PORT))
        for inner, node in nodes.items()
    }


def is_packet(data):
    if len(data) < 20 or data[0] >> 4 != 4:
        return False
    header = (data[0] & 15) * 4
    return 20 <= header <= len(data) and int.from_bytes(data[2:4], "big") == len(data)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def host_unreachable(packet):
    icmp = b"\3\1\0\0\0\0\0\0" + packet[:28]
    icmp = icmp[:2] + checksum(icmp).to_bytes(2, "big") + icmp[4:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0, packet[16:20], packet[12:16])
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + icmp


def main():
    device, path = sys.argv[1:3]
    port = int(sys.argv[3]) if len(sys.argv) > 3 else PORT
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
    inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inside.bind(("0.0.0.0", port))
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.bind(("0.0.0.0", 0))
    nodes = read(path)
    say("open", outside.getsockname()[1])
    while True:
        for ready in select.select([tun, inside, sys.stdin], [], [])[0]:
            if ready is sys.stdin:
                words = sys.stdin.readline().split()
                if not words:
                    return
                if words[0] == "read":
                    nodes = read(path)
                    say("read", len(nodes))
                else:
                    outside.sendto(bytes.fromhex(words[1][1:]), (words[2], PORT))
                    say("sent")
            elif ready is tun:
                packet = os.read(tun, 65536)
                if not is_packet(packet):
                    continue
                node = nodes.get(packet[16:20])
                if node is None:
                    os.write(tun, host_unreachable(packet))
                else:
                    outside.sendto(packet, node)
            else:
                packet = inside.recv(65536)
                if is_packet(packet):
                    os.write(tun, packet)


main()
