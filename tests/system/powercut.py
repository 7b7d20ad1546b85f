#!/usr/bin/env python3
"""Cuts the power under a daemon again and again, then judges what is left.

    powercut.py WORK FS CUTS SEED EPOCH    (in the build directory, as powercut.sh does)

Each value in the RRDs is held against the simulators' formulas (tests/sim/README), each
answer of the simulators shortly before a cut against the RRDs, each slot's reason against
both. Prints one line "ok - ..." or "not ok - ..." for each promise.
"""
import bisect
import collections
import ctypes
import fcntl
import glob
import json
import math
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time
import uuid

sys.dont_write_bytecode = True
from held_up import allowed, held_up

WORK, FS, CUTS, SEED, EPOCH = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
DISK = os.path.join(WORK, "disk")
RUN = os.path.join(WORK, "run")
RRD = os.path.join(DISK, "rrd")
CONF = os.path.join(WORK, "pollwerk.conf")
SHUTDOWN = 0x8004587D  # _IOR('X', 125, u32) of ext4 and xfs
LOGFLUSH, NOLOGFLUSH = 1, 2
TIMES, TIMES_AT = 48, 2864  # whereabouts.committed (src/journal/whereabouts.h)
PLACES = ["else", "write", "fdatasync", "rrd_update", "checkpoint"]
LIMIT = 5.0  # seconds: the commit interval is 0.1, but a sync takes as long as the disk is loaded
chance = random.Random(SEED if FS == "ext4" else SEED + 1)
libc = ctypes.CDLL(None, use_errno=True)
failed = False
quiet = set()  # cuts that fell while the journal wrote and synced nothing
syncing = set()  # cuts that fell while the store synced its files
commits = [[0] * TIMES, [0] * TIMES]  # how long they took, without and with such a sync beside
probes = []  # s: the same disk's fdatasync of a page in a file of its own
loads = []
boots = []  # wall time of the start after each cut


def say(sentence, findings):
    global failed
    print(("not ok - " if findings else "ok - ") + FS + ": " + sentence)
    for finding in findings[:10]:
        print("    " + str(finding))
    if len(findings) > 10:
        print("    and %d more" % (len(findings) - 10))
    failed = failed or bool(findings)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sim(name, line):
    run("tests/sim/simctl", os.path.join(WORK, name + ".ctl"), line)


# ---- the machine ----

def boot():
    """Mounts the disk and starts the daemon of a machine that was just switched on."""
    run("mount", "-o", "loop", os.path.join(WORK, FS + ".img"), DISK)
    subprocess.run(["rm", "-rf", RUN], check=True)
    bind_boot_id()
    out = open(os.path.join(WORK, "out-" + FS), "a")
    return subprocess.Popen(["./pollwerkd", "-c", CONF, "-f"], stdout=out, stderr=out,
                            start_new_session=True)


def bind_boot_id():
    path, kernels = os.path.join(WORK, "boot_id"), "/proc/sys/kernel/random/boot_id"
    fresh = not os.path.exists(path)
    with open(path, "w") as file:
        file.write("%s\n" % uuid.uuid4())
    if fresh:
        run("mount", "--bind", path, kernels)
    assert open(kernels).read() == open(path).read()


def store_pid(daemon):
    for child in open("/proc/%d/task/%d/children" % (daemon.pid, daemon.pid)).read().split():
        if open("/proc/%s/comm" % child).read().strip() == "pollwerk-store":
            return int(child)
    return None


def write_some_pages():
    """Some dirty pages of some RRDs reach the disk before the cut, as a kernel may choose."""
    for path in glob.glob(os.path.join(RRD, "*", "*.rrd")):
        if chance.random() < 0.4:
            continue
        try:
            fd = os.open(path, os.O_RDWR)
        except OSError:
            continue
        for at in range(0, os.fstat(fd).st_size, 4096):
            if chance.random() < 0.3:
                libc.sync_file_range(fd, ctypes.c_int64(at), ctypes.c_int64(4096), ctypes.c_uint(7))
        os.close(fd)


def aim():
    """Half of the cuts wait for something that takes a moment only."""
    wanted = chance.choice(((0, 1), (0, 2), (1, 3), (1, 4), None, None, None, None))
    try:
        with open(os.path.join(RUN, "where"), "rb") as page:
            codes = mmap.mmap(page.fileno(), 16, prot=mmap.PROT_READ)
    except (OSError, ValueError):
        return
    end = time.time() + 1.2
    while wanted and time.time() < end:
        if struct.unpack_from("<Q", codes, 8 * wanted[0])[0] == wanted[1]:
            break
    codes.close()


def where():
    try:
        with open(os.path.join(RUN, "where"), "rb") as page:
            codes = struct.unpack("<QQQ", page.read(24))
        return tuple(PLACES[code] if code < len(PLACES) else "?" for code in codes)
    except (OSError, struct.error):
        return ("not yet", "not yet", "not yet")


def add_commits():
    """RUN_DIR goes with the power, and what the poller counted there."""
    try:
        with open(os.path.join(RUN, "where"), "rb") as page:
            counts = struct.unpack_from("<%dQ" % (2 * TIMES), page.read(), TIMES_AT)
    except (OSError, struct.error):
        return
    for n, count in enumerate(counts):
        commits[n // TIMES][n % TIMES] += count
    loads.append(os.getloadavg()[0])


def cut_power(daemon):
    """Returns when it was (wall time), and what fell into it."""
    root = os.open(DISK, os.O_RDONLY)
    flags = chance.choice((LOGFLUSH, NOLOGFLUSH))
    aim()
    place, before = where(), time.time()
    os.killpg(daemon.pid, signal.SIGSTOP)  # nobody lives on without power, to say that it is gone
    fcntl.ioctl(root, SHUTDOWN, struct.pack("I", flags))
    os.close(root)
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
    add_commits()
    for _ in range(200):
        if subprocess.run(["umount", DISK], capture_output=True).returncode == 0:
            return before, place, flags
        time.sleep(0.05)
    sys.exit("not ok - the disk cannot be unmounted")


def probe():
    """One page, in a file that has all its blocks."""
    fd = os.open(os.path.join(DISK, "probe"), os.O_RDWR | os.O_CREAT)
    if os.fstat(fd).st_size == 0:
        os.pwrite(fd, bytes(4096), 0)
        os.fsync(fd)
    os.pwrite(fd, os.urandom(4096), 0)
    begun = time.monotonic()
    os.fdatasync(fd)
    probes.append(time.monotonic() - begun)
    os.close(fd)


def live(daemon, seconds):
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(min(0.1, max(0, end - time.time())))
        probe()
        luck = chance.random()
        if luck < 0.05:
            sim("plc", "agent 2 unit 1 " + chance.choice(("dead", "clear")))
        elif luck < 0.12:
            signal_store(daemon, signal.SIGUSR1)  # a checkpoint at its next round
        elif luck < 0.14:
            signal_store(daemon, signal.SIGTERM)  # one at its end


def signal_store(daemon, number):
    try:
        os.kill(store_pid(daemon), number)
    except (OSError, TypeError):
        pass


def is_good(path):
    out = subprocess.run(["./pollwerk", "-c", CONF, "--json", "values", path],
                         capture_output=True, text=True).stdout
    return '"quality":"good"' in out


def wait_until_good():
    for _ in range(300):
        if all(map(is_good, ("p1/pieces", "p3/life", "s1/if[ge-1/3]/in_octets"))):
            return
        time.sleep(0.1)
    sys.exit("not ok - %s: no good values within 30 s" % FS)


def campaign():
    """[wall time of each cut]; the first second from which on all series are known."""
    daemon, cuts, fell = boot(), [], collections.Counter()
    wait_until_good()
    begun = int(time.time()) + 1
    time.sleep(1)
    for number in range(CUTS):
        live(daemon, chance.random() * (3 if CUTS > 5 else 1.5))
        if chance.random() < 0.7:
            write_some_pages()
        at, place, flags = cut_power(daemon)
        cuts.append(at)
        if place[0] == "else":
            quiet.add(at)
        if place[2] == "fdatasync":
            syncing.add(at)
        fell["journal in " + place[0]] += 1
        fell["store in " + place[1]] += 1
        fell["store's files being synced"] += at in syncing
        fell["log flushed" if flags == LOGFLUSH else "log not flushed"] += 1
        boots.append(time.time())
        daemon = boot()
        if number % 3 == 2:
            wait_until_good()  # the others may come before the replay has ended
    sim("plc", "agent 2 unit 1 clear")
    wait_until_good()
    time.sleep(2)
    ended = int(time.time()) - 1
    daemon.terminate()
    status = daemon.wait()
    say("after %d power cuts (seed %d) the daemon ends well; they fell: %s" % (len(cuts), SEED,
        ", ".join("%s %d" % item for item in sorted(fell.items()))), [] if status == 0 else [status])
    return begun, ended, cuts


# ---- the promises ----

def fetch(path, first, last):
    lines = run("rrdtool", "fetch", path, "AVERAGE", "-r", "1", "-s", str(first), "-e", str(last)).splitlines()
    names = lines[0].split()
    rows = {int(at): list(map(float, row.split())) for at, row in (line.split(":") for line in lines[2:])}
    return {name: {at: row[column] for at, row in rows.items()} for column, name in enumerate(names)}


def stored(first, last):
    """point -> second -> value; of the presses and of the ports."""
    points = {}
    for press in "123":
        for name, column in fetch(os.path.join(RRD, "p" + press, "points.rrd"), first - 1, last).items():
            points["p%s/%s" % (press, name)] = column
    for line in open(os.path.join(DISK, "state", "series")):
        file, ds, path = line.rstrip("\n").split("\t")[-3:]
        if "in_octets" in path:
            points[path] = fetch(os.path.join(RRD, file), first - 1, last)[ds]
    return points


def usual_lead(point, column):
    """By how much a clock's reading usually is ahead of the begin of its second: a point is
    polled at a phase of its own."""
    leads = collections.Counter(round(lead(point, second, value)) for second, value in column.items()
                                if not math.isnan(value))
    return leads.most_common(1)[0][0] if leads else 0


def lead(point, second, value):
    if point.endswith("/pieces"):
        return value - 2 * (second - EPOCH)
    return (value - (second - EPOCH) + 100) % 65536 - 100


def is_right(point, second, value, usual):
    """A poll may be late by a timeout, a row that lies one place too far is behind."""
    if "in_octets" not in point:
        return usual - 1 <= lead(point, second, value) <= usual + 8
    agent, row = int(point[1]), int(point.split("/")[2].rstrip("]"))
    rate = 1000 * (row + 1) + agent - 1
    least, most = allowed(HELD, second - 10, second)
    return rate * (least - 0.005) - 2 <= value <= rate * (most + 0.005) + 2


def check_values(points, first, last):
    findings, count, unknown = [], 0, 0
    for point, column in points.items():
        usual = usual_lead(point, column) if "in_octets" not in point else 0
        for second in range(first, last):
            value = column.get(second, math.nan)
            if math.isnan(value):
                unknown += 1
            elif not is_right(point, second, value, usual):
                findings.append("%s at %d: %r, usually ahead by %d" % (point, second, value, usual))
            count += not math.isnan(value)
    say("0 wrong rows of %d values in %d points (%d unknown)" % (count, len(points), unknown), findings)


def gaps(first, last, *points):
    """point -> {expected, good, reasons} of the slots from first to last, which is not one."""
    told = json.loads(run("./pollwerk", "-c", CONF, "--json", "gaps", "--from", str(first),
                          "--to", str(last), *points))
    return {gap["path"]: gap for gap in told}


def reasons_at(point, second):
    return gaps(second, second + 1, point).get(point, {"reasons": {}})["reasons"]


def check_ledger(points, first, last, cuts):
    """In each stretch between two cuts the ledger has as many good slots as the RRDs have
    values, and a reason for each of the others."""
    findings, slots, reasons = [], 0, collections.Counter()
    edges = [first] + [int(cut) for cut in cuts if first < int(cut) < last] + [last]
    for begin, end in zip(edges, edges[1:]):
        if begin == end:
            continue
        told = gaps(begin, end)
        for point, column in points.items():
            known = sum(not math.isnan(column.get(second, math.nan)) for second in range(begin, end))
            gap = told.get(point, {"expected": 0, "good": 0, "reasons": {}})
            lost = sum(gap["reasons"].values())
            slots += gap["expected"]
            reasons.update(gap["reasons"])
            # A counter's first slot after a start is good, and has no rate yet.
            rateless = gap["good"] - known if "in_octets" in point else 0
            if gap["expected"] != end - begin or gap["expected"] != gap["good"] + lost or \
                    gap["good"] - rateless != known or rateless < 0:
                findings.append("%s from %d to %d: %s, and %d values in the RRD" % (point, begin, end, gap, known))
    say("ledger sums exact and equal with the RRDs' unknown rows: %d slots, %s" %
        (slots, ", ".join("%s %d" % item for item in sorted(reasons.items()))), findings)


def percentiles(values):
    values = sorted(values)
    return "p50 %.0f, p99 %.0f, max %.0f ms" % tuple(
        1000 * values[min(len(values) - 1, len(values) * part // 100)] for part in (50, 99, 100)) \
        if values else "none"


def times_of(counts):
    """The upper bound of each commit's class."""
    return [1e-4 * 2 ** (n / 3) for n, count in enumerate(counts) for _ in range(count)]


def tell_times(worst):
    """What they depend on: the disk, and who else uses it."""
    print("# %s: loss of each cut: %s; store syncing: %s" % (FS,
        percentiles(worst.values()), percentiles([age for cut, age in worst.items() if cut in syncing])))
    print("# %s: from a record to its commit, of an interval of 100 ms: %s (%d); store syncing: %s (%d)" % (FS,
        percentiles(times_of(commits[0]) + times_of(commits[1])), sum(map(sum, commits)),
        percentiles(times_of(commits[1])), sum(commits[1])))
    print("# %s: the bare disk's fdatasync of one page meanwhile: %s (%d); load %.1f" % (FS,
        percentiles(probes), len(probes), sum(loads) / max(len(loads), 1)))


def check_loss(points, cuts, first, last):
    """An answer that came before a cut is there, but for the newest ones."""
    worst = dict.fromkeys(cuts, 0)
    ages, findings, count, late, rested = [], [], 0, 0, 0
    answers = collections.defaultdict(set)
    for line in open(os.path.join(WORK, "plc.log")):
        words = line.split()
        if len(words) > 10 and words[4] == "request" and words[10].startswith("answered"):
            answers[int(words[2])].add(int(words[0]) / 1e9)
    for agent, times in answers.items():
        column = points["p%d/pieces" % agent]
        for at in times:
            after = bisect.bisect_left(cuts, at)
            if after == len(cuts) or not first < int(at) < last:
                continue
            if after > 0 and at < boots[after - 1]:
                continue  # asked before the former cut, and answered to nobody
            count += 1
            if not math.isnan(column.get(int(at), math.nan)):
                continue
            reasons = reasons_at("p%d/pieces" % agent, int(at))
            if "overrun" in reasons or "timeout" in reasons:
                late += 1  # it came, and after its slot was closed
                continue
            ages.append(cuts[after] - at)
            worst[cuts[after]] = max(worst[cuts[after]], ages[-1])
            rested = max(rested, ages[-1] if cuts[after] in quiet else 0)
            if ages[-1] > LIMIT:
                findings.append("press %d: answered %.3f s before the cut at %.3f, not stored"
                                % (agent, ages[-1], cuts[after]))
    say("of %d answers before a cut only those of its last %.0f ms are lost, %.0f ms where no sync "
        "was under way, half of them of its last %.0f ms (%d; %d more came late)" %
        (count, max(ages, default=0) * 1000, rested * 1000,
         sorted(ages)[len(ages) // 2] * 1000 if ages else 0, len(ages), late), findings)
    tell_times(worst)


def check_leftovers():
    findings = glob.glob(os.path.join(RRD, "**", ".pollwerk.new"), recursive=True)
    findings += [os.path.join(folder, name) for folder, _, names in os.walk(RRD)
                 for name in names if not name.endswith(".rrd")]
    words = ("quarantined", "left alone", "not written any more", "No space", "damaged", "Sanitizer", "runtime error",
             "signal 7", "signal 11", "signal 6", "signal 10")
    findings += [line.strip() for line in open(os.path.join(WORK, "out-" + FS))
                 if any(word in line for word in words)]
    say("nobody is told of a damaged file, nothing half made is left", findings)


begun, ended, cuts = campaign()
run("mount", "-o", "loop,ro", os.path.join(WORK, FS + ".img"), DISK) if not os.path.ismount(DISK) else None
sim("plc", "flush")
sim("snmp", "flush")
HELD = held_up(os.path.join(WORK, "snmp.log"))
points = stored(begun, ended)
check_values(points, begun, ended)
check_ledger(points, begun, ended, cuts)
check_loss(points, cuts, begun, ended)
check_leftovers()
run("umount", DISK)
sys.exit(failed)
