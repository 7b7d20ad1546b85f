#!/usr/bin/env python3
"""Holds journal, RRDs, ledger, notices and the simulators' logs against each other.

    kill9_judge.py WORK    (as kill9.sh leaves it)

Has its own decoder of journal segments, after the description in src/journal/record.h.
Prints one line "ok - ..." or "not ok - ..." for each promise.
"""
import bisect
import collections
import json
import math
import os
import re
import struct
import subprocess
import sys

WORK = sys.argv[1]
ROWS, RUN, ALARM = 13, 2, 3
SECOND = 10**9
WORDS = {10: "timeout", 11: "unreachable", 12: "gateway", 13: "no-such-row", 14: "bad-reply",
         15: "invalid-value", 18: "breaker", 40: "poller-down", 42: "overrun",
         43: "store-full", 44: "clock-step"}
GOOD = (0, 1, 2)
failed = False


def say(sentence, findings):
    global failed
    print(("not ok - " if findings else "ok - ") + sentence)
    for finding in findings[:10]:
        print("    " + str(finding))
    if len(findings) > 10:
        print("    and %d more" % (len(findings) - 10))
    failed = failed or bool(findings)


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def frames(path):
    """(kind, sequence, body) of each whole frame; a damaged one ends the segment."""
    data = open(path, "rb").read()
    if len(data) < 28:
        return
    assert data[:8] == b"PWJRNL01" and crc32c(data[:24]) == struct.unpack("<I", data[24:28])[0], path
    at = 28
    while at + 20 <= len(data):
        size, crc = struct.unpack_from("<II", data, at)
        if at + 20 + size > len(data) or crc32c(data[at + 8:at + 20 + size]) != crc:
            return
        kind, version, zero, sequence = struct.unpack_from("<BBHQ", data, at + 8)
        yield kind, sequence, data[at + 20:at + 20 + size]
        at += 20 + size


class Journal:
    def __init__(self, folder):
        self.slots = collections.defaultdict(dict)   # id -> slot -> (reason, value)
        self.received = collections.defaultdict(dict)  # id -> slot of a good one -> receive time
        self.twice, self.holes, self.numbers = [], [], []
        self.segments = 0
        last = 0
        for name in sorted(os.listdir(folder)):
            self.segments += 1
            for kind, sequence, body in frames(os.path.join(folder, name)):
                if sequence != last + 1:
                    self.holes.append("%s: record %d after %d" % (name, sequence, last))
                last = sequence
                if kind == ROWS:
                    self.take_samples(body)
                elif kind == RUN:
                    series, reason, first, end = struct.unpack_from("<IB3xqq", body)
                    for slot in range(first, end + 1):
                        self.close(series, slot, reason, math.nan)
                elif kind == ALARM:
                    self.numbers.append(struct.unpack_from("<I", body)[0])
        self.records = last

    def close(self, series, slot, reason, value):
        if slot in self.slots[series]:
            self.twice.append("series %d slot %d" % (series, slot))
        self.slots[series][slot] = (reason, value)

    def take_samples(self, body):
        slot, step, received, count = struct.unpack_from("<qqqI", body)
        at = 28
        while count > 0:
            first, reason, flags, row, offset = struct.unpack_from("<IBBHi", body, at)
            at += 12
            for series in range(first, first + row):
                value = math.nan
                if flags & 1:
                    value, = struct.unpack_from("<d", body, at)
                    at += 8
                if flags & 2:
                    at += 8
                self.close(series, slot, reason, value)
                if reason in GOOD:
                    self.received[series][slot] = received + offset * 1000
            count -= row


def read_catalogue(path):
    series = {}
    for line in open(path):
        crc, number, kind, step, profile, unit, file, ds, name = line.rstrip("\n").split("\t")
        series[int(number)] = {"kind": kind, "step": int(step), "file": file, "ds": ds, "path": name}
    return series


def read_kills(path):
    """[(role, wall ns of the kill, wall ns of its being back)]"""
    kills = []
    for line in open(path):
        words = line.split()
        if words[0] == "kill":
            kills.append((words[1], int(words[2]), int(words[3])))
    return kills


# ---- the promises ----

def check_journal(journal, catalogue):
    say("the journal is whole: %d records in %d segments, each following the one before"
        % (journal.records, journal.segments), journal.holes)
    say("no slot was closed twice (%d slots of %d series)"
        % (sum(map(len, journal.slots.values())), len(journal.slots)), journal.twice)
    findings = []
    for series, slots in journal.slots.items():
        missing = max(slots) - min(slots) + 1 - len(slots)
        if missing:
            findings.append("%s: %d slots were never closed" % (catalogue[series]["path"], missing))
    say("the slots of each series follow each other", findings)


def check_poller_down(journal, catalogue, kills):
    """A slot may be lost around the death of the poller or of the supervisor only."""
    findings, count = [], 0
    times = []  # merged, in order
    for killed, back in sorted((k - 2 * SECOND, b + 2 * SECOND) for role, k, b in kills if role != "store"):
        if times and killed <= times[-1][1]:
            times[-1] = (times[-1][0], max(back, times[-1][1]))
        else:
            times.append((killed, back))
    for series, slots in journal.slots.items():
        for slot, (reason, value) in slots.items():
            if reason != 40:
                continue
            count += 1
            at = slot * catalogue[series]["step"]
            near = bisect.bisect_right(times, (at, at))
            if not any(first <= at <= last for first, last in times[max(0, near - 1):near + 1]):
                findings.append("%s: slot at %d" % (catalogue[series]["path"], at // SECOND))
    say("slots are poller-down around kills of poller and supervisor only (%d of them)" % count, findings)


def fetch(path, first, last):
    out = subprocess.run(["rrdtool", "fetch", path, "AVERAGE", "-r", "1", "-s", str(first),
                          "-e", str(last)], capture_output=True, text=True, check=True).stdout
    lines = out.splitlines()
    names = lines[0].split()
    return names, {int(t): list(map(float, row.split())) for t, row in
                   (line.split(":") for line in lines[2:])}


def check_rrds(journal, catalogue):
    findings, compared, lost = [], 0, 0
    files = collections.defaultdict(list)
    for series, slots in journal.slots.items():
        if catalogue[series]["file"]:
            files[catalogue[series]["file"]].append(series)
    for file, members in files.items():
        first = min(min(journal.slots[s]) for s in members)
        last = max(max(journal.slots[s]) for s in members)
        try:
            names, rows = fetch(os.path.join(WORK, "rrd", file), first - 3, last)
        except (subprocess.CalledProcessError, IndexError) as error:
            findings.append("%s: %s" % (file, error))
            continue
        for series in members:
            column, slots = names.index(catalogue[series]["ds"]), journal.slots[series]
            for time in range(first - 2, last + 1):
                stored = rows[time][column] if time in rows else math.nan
                wanted = slots.get(time, (None, math.nan))[1]
                compared += not math.isnan(wanted)
                lost += math.isnan(wanted) and time in slots
                if math.isnan(stored) != math.isnan(wanted) or \
                        abs(stored - wanted) > 1e-9 * abs(wanted):
                    findings.append("%s at %d: %r stored, %r in the journal"
                                    % (catalogue[series]["path"], time, stored, wanted))
    say("every journalled value is in its RRD, every lost one is unknown there "
        "(%d values, %d unknown, %d files)" % (compared, lost, len(files)), findings)


def check_ledger(journal, catalogue):
    gaps = {gap["path"]: gap for gap in json.load(open(os.path.join(WORK, "gaps.json")))}
    findings, total = [], collections.Counter()
    for series, slots in journal.slots.items():
        path = catalogue[series]["path"]
        reasons = collections.Counter(WORDS.get(r, str(r)) for r, v in slots.values() if r not in GOOD)
        wanted = (len(slots), sum(r in GOOD for r, v in slots.values()), dict(reasons))
        total["expected"] += wanted[0]
        total["good"] += wanted[1]
        total.update(reasons)
        gap = gaps.get(path)
        got = gap and (gap["expected"], gap["good"], gap["reasons"])
        if got != wanted or got[0] != got[1] + sum(got[2].values()):
            findings.append("%s: gaps says %s, the journal %s" % (path, got, wanted))
    say("gaps says the same as the journal: %s" % ", ".join("%s %d" % i for i in total.items()), findings)


def answered(name):
    """agent -> sorted (receive time, time that the values are of) of what this simulator answered"""
    times = collections.defaultdict(list)
    for line in open(os.path.join(WORK, name + ".log")):
        words = line.split()
        if line.startswith("#") or len(words) < 7:
            continue
        if name == "snmp" and words[7] == "answered":
            times[int(words[3])].append((int(words[0]), int(words[2])))
        elif name == "plc" and words[4] == "request" and words[10].startswith("answered"):
            times[int(words[2])].append((int(words[0]), 0))
    for list_ in times.values():
        list_.sort()
    return times


def before(log, time):
    """How many answers had been asked for by then."""
    return bisect.bisect_right(log, (time + SECOND // 1000, math.inf))


def check_simulators(journal, catalogue, logs):
    """A value of the daemon has an answer of the plant shortly before it."""
    findings, explained = [], 0
    for series, received in journal.received.items():
        device, _, point = catalogue[series]["path"].partition("/")
        if point in ("up", "rtt", "loss"):
            continue
        log = logs[device[0]][int(device[1:])]
        if len(log) < len(received):
            findings.append("%s: %d good slots of %d answers" % (catalogue[series]["path"], len(received), len(log)))
        for time in received.values():
            at = before(log, time)
            explained += 1
            if at == 0 or time - log[at - 1][0] > 2 * SECOND:
                findings.append("%s: no answer before %d" % (catalogue[series]["path"], time))
    say("the simulators' logs explain each of %d good slots" % explained, findings)


def rates_of(received, log, counts):
    """slot -> [(time since the former sample, least, most rate)] that the plant's own times allow.
    Between the moment for which it computed a counter and its arrival some time passes, more of it
    on a busy machine; the log has the one time, the journal the other. Which of its last answers
    held the counter is not known, nor whether a poller that was killed knew one that it never
    journalled: that one arrived after it was asked for and not long after it was computed."""
    rates, base, begin = {}, None, 0
    for slot in sorted(received):
        end, time = before(log, received[slot]), received[slot]
        if base is not None:
            bases = [(received[base], received[base], of) for at, of in log[max(0, begin - 3):begin]] + \
                    [(at, of + SECOND // 100, of) for at, of in log[begin:end]]
            rates[slot] = [(time - last, counts * (now - then) / (time - first), counts * (now - then) / (time - last))
                           for _, now in log[max(0, end - 3):end]
                           for first, last, then in bases if time - last > SECOND // 4]
        base, begin = slot, end
    return rates


def check_values(journal, catalogue, logs):
    findings, rates, readings, worst = [], 0, 0, 0
    for series, slots in journal.slots.items():
        path = catalogue[series]["path"]
        values = {slot: v for slot, (r, v) in slots.items() if not math.isnan(v)}
        port = re.fullmatch(r"s(\d+)/if\[ge-1/(\d+)\]/(in|out)_(octets|ucast|mcast|bcast)", path)
        if port:
            rate = 1000 * (int(port[2]) + 1) * (1 + (port[3] == "out")) + int(port[1]) - 1
            rate /= {"octets": 1, "ucast": 500, "mcast": 5000, "bcast": 10000}[port[4]]
            received = journal.received[series]
            allowed = rates_of(received, logs["s"][int(port[1])], rate)
            for slot, value in values.items():
                rates += 1
                worst = max(worst, abs(value - rate) / rate if port[4] == "octets" else 0)
                # A counter is a whole number at each of two polls, which may follow each other soon.
                if not any(least - beside <= value <= most + beside for took, least, most in allowed.get(slot, [])
                           for beside in [rate * 0.001 + 1.1 * SECOND / took]):
                    findings.append("%s: %r instead of %g" % (path, value, rate))
        elif path.endswith("/oil_temp"):
            readings += len(values)
            findings += ["%s: %r" % (path, v) for v in values.values() if min(abs(v - 45.2), abs(v - 71.2)) > 1e-9]
    say("over all kills each of %d rates and %d readings is right (octets at most %.2f %% off the formula, "
        "and that by the times in the plant's log)" % (rates, readings, 100 * worst), findings)


def check_notices(journal):
    content, findings, repeats = {}, [], 0
    for line in open(os.path.join(WORK, "notices")):
        number = re.search(r"32473\.7\.1\.8\.1\.0 = (\d+)", line)
        if not number:
            continue
        number = int(number[1])
        repeats += number in content
        if content.setdefault(number, line) != line:
            findings.append("number %d: %s and %s" % (number, content[number], line))
    say("no notification number has two contents (%d received, %d more than once)"
        % (len(content), repeats), findings)
    last = max(content, default=0)
    findings = ["number %d" % n for n in range(1, last + 1) if n not in content]
    findings += ["the receiver has nothing"] if last == 0 else []
    say("no notification number is missing from 1 to %d" % last, findings)
    findings = ["%d in the journal: %d times" % (n, c) for n, c in collections.Counter(journal.numbers).items() if c > 1]
    findings += ["number %d was journalled, not received" % n for n in set(journal.numbers) - set(content)]
    findings += ["number %d was received, not journalled" % n for n in set(content) - set(journal.numbers)]
    say("they are the %d that the journal has" % len(journal.numbers), findings)


journal = Journal(os.path.join(WORK, "kept"))
catalogue = read_catalogue(os.path.join(WORK, "state", "series"))
check_journal(journal, catalogue)
check_poller_down(journal, catalogue, read_kills(os.path.join(WORK, "kills")))
check_rrds(journal, catalogue)
check_ledger(journal, catalogue)
logs = {"s": answered("snmp"), "p": answered("plc")}
check_simulators(journal, catalogue, logs)
check_values(journal, catalogue, logs)
check_notices(journal)
sys.exit(failed)
