"""An agent on real sockets beside which somebody forges: forge.sh's.

    forge_agent.py BASE PORT COUNTS    BASE 127.10.10: kind k is asked at 127.10.10.k

Says "ready" once it serves. True numbers are below 100000, forged ones above. COUNTS gets a line
"KIND SENT" for each kind, ten times a second."""
import os
import random
import selectors
import socket
import sys
import time

FALSE = 500000
SCALARS = [(1, 3, 6, 1, 4, 1, 32473, 9, 1, i, 0) for i in range(1, 7)]
COLUMN = (1, 3, 6, 1, 4, 1, 32473, 9, 2, 1)
UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
BEGUN = time.monotonic()
KINDS = ["source", "port", "community", "version", "id", "pdu", "duplicate", "late", "truncated",
         "longer", "oversized", "oid", "type", "order"]
IN_PLACE = ["oversized", "oid", "type", "order"]
INTEGER, OCTETS, NULL, OID, SEQUENCE, TICKS = 2, 4, 5, 6, 0x30, 0x43
END_OF_VIEW, NO_SUCH_OBJECT, RESPONSE, GET, BULK = 0x82, 0x80, 0xa2, 0xa0, 0xa5


def objects():
    known = {oid: 1000 + i for i, oid in enumerate(SCALARS)}
    for row in range(1, 3):
        known[COLUMN + (1, row)] = f"row {row}"
        known[COLUMN + (2, row)] = 2000 + row
    known[UPTIME] = None
    return known


KNOWN = objects()
ORDER = sorted(KNOWN)


def tlv(tag, body):
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def integer(number, tag=INTEGER):
    return tlv(tag, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def arcs(oid):
    body = bytearray([oid[0] * 40 + oid[1]])
    for arc in oid[2:]:
        part = [arc & 127]
        while arc := arc >> 7:
            part.append(arc & 127 | 128)
        body += bytes(reversed(part))
    return tlv(OID, bytes(body))


def parse(data, at=0):
    """(tag, body, behind)"""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7f
        length, at = int.from_bytes(data[at:at + size], "big"), at + size
    return tag, data[at:at + length], at + length


def members(body):
    at, found = 0, []
    while at < len(body):
        tag, part, at = parse(body, at)
        found.append((tag, part))
    return found


def number(body):
    return int.from_bytes(body, "big", signed=True)


def oid_of(body):
    oid, arc = [body[0] // 40, body[0] % 40], 0
    for octet in body[1:]:
        arc = arc << 7 | octet & 127
        if not octet & 128:
            oid.append(arc)
            arc = 0
    return tuple(oid)


class Request:
    def __init__(self, data):
        version, community, (self.pdu, body) = members(parse(data)[1])
        first, second, third, (_, varbinds) = members(body)
        self.version, self.community = number(version[1]), community[1]
        self.id, self.skip, self.times = (number(x[1]) for x in (first, second, third))
        self.oids = [oid_of(members(one)[0][1]) for _, one in members(varbinds)]

    def after(self, oid):
        return next((known for known in ORDER if known > oid), None)

    def found(self):
        """The OIDs to answer with; None: behind the end."""
        if self.pdu == GET:
            return [(oid, oid in KNOWN) for oid in self.oids]
        places, answer = list(self.oids), []
        for turn in range(self.times if self.pdu == BULK else 1):
            for i, oid in enumerate(places):
                if self.pdu == BULK and i < self.skip and turn > 0:
                    continue
                place = self.after(oid)
                answer.append((place or oid, place is not None))
                places[i] = place or oid
        return answer

    def answer(self, false=False, kind=None):
        version, community, pdu, request = self.version, self.community, RESPONSE, self.id
        varbinds = []
        for oid, there in self.found():
            known = KNOWN.get(oid)
            if not there:
                value = tlv(NO_SUCH_OBJECT if self.pdu == GET else END_OF_VIEW, b"")
            elif oid == UPTIME:
                value = integer(int((time.monotonic() - BEGUN) * 100) + 100000, TICKS)
            elif isinstance(known, str):
                value = tlv(OCTETS, (known if not false or kind == "type" else "row 9").encode())
            elif kind == "type":
                value = random.choice([tlv(0x40, bytes(4)), tlv(NULL, b""), tlv(0x81, b""),
                                       tlv(OID, b"\x2b\x06\x01\x04"), tlv(0x49, b"\x01")])
            else:
                value = integer(known + (FALSE if false else 0))
            if kind == "oid" and oid != UPTIME:
                oid = oid[:6] + (99,) + oid[7:]
            varbinds.append(tlv(SEQUENCE, arcs(oid) + value))
        if kind == "community":
            community = random.choice([b"", b"publi", b"public1", b"Public", b"private"])
        if kind == "version":
            version ^= 1
        if kind == "id":
            request ^= 1 << random.randrange(31)
        if kind == "pdu":
            pdu = random.choice([0xa0, 0xa1, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8])
        if kind == "order":
            varbinds.reverse()
        if kind == "oversized" and varbinds:
            varbinds = (varbinds * (2000 // len(varbinds) + 1))[:random.randrange(200, 2000)]
        body = integer(request) + integer(0) + integer(0) + tlv(SEQUENCE, b"".join(varbinds))
        message = tlv(SEQUENCE, integer(version) + tlv(OCTETS, community) + tlv(pdu, body))
        if kind == "truncated":
            message = message[:random.randrange(1, len(message))]
        if kind == "longer":
            message += os.urandom(random.randrange(1, 200))
        return message


class Agent:
    """One kind: the agent's socket, and from where it is forged."""

    def __init__(self, kind, address, port):
        self.kind, self.sent, self.late = kind, 0, {}
        self.socket = self.bind(address, port)
        self.other = self.socket
        if kind == "source":
            self.other = self.bind(address.replace("127.10.", "127.11.", 1), port)
        if kind == "port":
            self.other = self.bind(address, 0)

    def bind(self, address, port):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((address, port))
        return bound

    def forge(self, to, message):
        self.other.sendto(message, to)
        self.sent += 1

    def serve(self):
        data, to = self.socket.recvfrom(65535)
        request = Request(data)
        true, false = request.answer(), request.answer(True, self.kind)
        if self.kind == "order" and len(request.oids) < 2:
            self.socket.sendto(true, to)
        elif self.kind in IN_PLACE:
            self.forge(to, false)
        elif self.kind == "duplicate":
            self.socket.sendto(true, to)
            self.forge(to, false)
        elif self.kind == "late":
            if to in self.late:
                self.forge(to, self.late[to])
            self.late[to] = false
            self.socket.sendto(true, to)
        else:
            self.forge(to, false)
            self.socket.sendto(true, to)


def main(base, port, counts):
    selector = selectors.DefaultSelector()
    agents = [Agent(kind, f"{base}.{i + 1}", port) for i, kind in enumerate(KINDS)]
    for agent in agents:
        selector.register(agent.socket, selectors.EVENT_READ, agent)
    print("ready", flush=True)
    told = 0.0
    while True:
        for key, _ in selector.select(0.1):
            key.data.serve()
        if time.monotonic() - told > 0.1:
            told = time.monotonic()
            with open(counts + ".new", "w", encoding="ascii") as to:
                to.writelines(f"{agent.kind} {agent.sent}\n" for agent in agents)
            os.rename(counts + ".new", counts)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
