"""An agent of SNMPv3 (noAuthNoPriv) whose answers name an IpAddress of three octets.

    spoilt_agent.py ADDRESS PORT

Tells its engine ID to who does not know it (RFC 3414 section 4); answers everything else with the
objects that were asked for, of which the second one is malformed."""
import socket
import sys

ENGINE = bytes.fromhex("80007ed90405a0b0c0d0e0f0")
UNKNOWN_ENGINE_IDS = bytes([0x2B, 6, 1, 6, 3, 15, 1, 1, 4, 0])
SEQUENCE, INTEGER, OCTETS, OID, IP_ADDRESS, COUNTER32, TICKS = 0x30, 2, 4, 6, 0x40, 0x41, 0x43
RESPONSE, REPORT = 0xA2, 0xA8


def element(tag, *contents):
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    return bytes([tag, 0x82, size >> 8, size & 0xFF]) + body


def number(value):
    return element(INTEGER, value.to_bytes(4, "big"))


def elements(octets):
    """The contents of each."""
    found, at = [], 0
    while at < len(octets):
        size, at = octets[at + 1], at + 2
        if size & 0x80:
            more = size & 0x7F
            size, at = int.from_bytes(octets[at:at + more], "big"), at + more
        found.append(octets[at:at + size])
        at += size
    return found


def answer(datagram):
    _, head, security, scoped = elements(elements(datagram)[0])
    engine, _, _, user = elements(elements(security)[0])[:4]
    pdu = elements(elements(scoped)[2])
    if engine == ENGINE:
        names = [elements(varbind)[0] for varbind in elements(pdu[3])]
        values = [element(TICKS, b"\x10\x10") for _ in names]
        values[1:2] = [element(IP_ADDRESS, b"abc")]
        kind = RESPONSE
    else:
        names, values, kind, user = [UNKNOWN_ENGINE_IDS], [element(COUNTER32, b"\1")], REPORT, b""
    varbinds = [element(SEQUENCE, element(OID, name), value) for name, value in zip(names, values)]
    return element(
        SEQUENCE, number(3),
        element(SEQUENCE, element(INTEGER, elements(head)[0]), number(65507),
                element(OCTETS, b"\0"), number(3)),
        element(OCTETS, element(SEQUENCE, element(OCTETS, ENGINE), number(1), number(100),
                                element(OCTETS, user), element(OCTETS), element(OCTETS))),
        element(SEQUENCE, element(OCTETS, ENGINE), element(OCTETS),
                element(kind, element(INTEGER, pdu[0]), number(0), number(0),
                        element(SEQUENCE, *varbinds))))


def main():
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind((sys.argv[1], int(sys.argv[2])))
    while True:
        datagram, peer = wire.recvfrom(65536)
        wire.sendto(answer(datagram), peer)


main()
