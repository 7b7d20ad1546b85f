"""The turns that counters.sh plays on the simulator, and the judge of what was stored.

    counters_judge.py turn CONTROL SECONDS SEED     plays, prints each turn
    counters_judge.py judge RRD_DIR FROM TO RATE LOG    prints rates that are neither true nor
        unknown; LOG is that of snmp_sim
"""
import glob
import os
import random
import subprocess
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True
from held_up import allowed, held_up

ROWS = 8
OF_OCTETS = {"octets": 1, "ucast": 500, "mcast": 5000, "bcast": 10000, "errors": 1000000,
             "discards": 500000}
NEAR = 0.005
WHOLE = 2  # counts are whole, and two readings of a busy machine half a second apart and more


def turns(number):
    """What may become of agent `number`."""
    moves = ["renumber 1000", "renumber 1", "rotate"]
    resets = ["reset", "reset quiet", "reboot"]
    if number in (1, 2):
        return moves
    if number == 3:
        return resets
    if number == 4:
        return ["rows"]
    if number == 7:  # version 1: of 32 bits that begin anew in silence nobody can tell
        return ["renumber 1000", "rotate", "reboot"]
    return moves + resets + ["rows"]


def say(control, line):
    subprocess.run(["tests/sim/simctl", control, line], check=True, stdout=subprocess.DEVNULL)


def play(control, seconds, seed):
    chance = random.Random(seed)
    agents = [1, 2, 3, 4, 5, 7]  # 6 goes round undisturbed
    due = {agent: time.monotonic() + chance.uniform(0, 2) for agent in agents}
    end = time.monotonic() + seconds
    reset = {}
    while time.monotonic() < end:
        agent = min(agents, key=lambda a: due[a])
        time.sleep(max(0, min(due[agent], end) - time.monotonic()))
        due[agent] += chance.uniform(1.5, 4)
        turn = chance.choice(turns(agent))
        # What begins anew in silence is seen by its going back: it must have come further than
        # it does while a former reading counts as one (ten seconds). And nothing boots twice
        # within the five seconds that sysUpTime may be late.
        if turn in ("reset quiet", "reboot") and reset.get(agent, 0) + 12 > time.monotonic():
            turn = "rotate" if agent == 7 else "reset"
        if turn.startswith(("reset", "reboot")):
            reset[agent] = time.monotonic()
        if turn == "rows":
            row = chance.randint(1, ROWS)
            say(control, f"agent {agent} remove {row}")
            time.sleep(chance.uniform(0, 0.2))
            say(control, f"agent {agent} add {row} {chance.randint(5000, 900000)}")
        else:
            say(control, f"agent {agent} {turn}")
        print(turn, flush=True)


def stored(path, begin, end):
    """(time, {ds: value}) of each second of a file."""
    out = subprocess.run(["rrdtool", "fetch", path, "AVERAGE", "-r", "1", "-s", str(begin),
                          "-e", str(end)], check=True, capture_output=True, text=True).stdout
    lines = out.splitlines()
    names = lines[0].split()
    for line in lines[2:]:
        when, _, values = line.partition(":")
        yield int(when), dict(zip(names, map(float, values.split())))


def judge(folder, begin, end, rate, held):
    true, unknown, wrong, around = 0, 0, 0, 0
    good = set()
    files = glob.glob(os.path.join(folder, "*", "if", "*.rrd"))
    for path in files:
        device = path.split(os.sep)[-3]
        row = urllib.parse.unquote(os.path.basename(path)[:-4])
        number = int(row.rsplit("/", 1)[1])
        seconds = list(stored(path, begin, end))
        for name in seconds[0][1] if seconds else []:
            way, _, what = name.partition("_")
            if what not in OF_OCTETS:
                continue
            wanted = rate * (number + 1) * (2 if way == "out" else 1) / OF_OCTETS[what]
            last = begin
            for time, values in seconds:
                value = values[name]
                if value != value:
                    unknown += 1
                    continue
                # A reading older than ten seconds is none to count from.
                least, most = allowed(held, max(last, time - 10), time)
                last = time
                if wanted * (least - NEAR) - WHOLE <= value <= wanted * (most + NEAR) + WHOLE:
                    true += 1
                    good.add(device)
                    around += device == "narrow" and what == "octets"
                else:
                    wrong += 1
                    print(f"{time} {device} {row} {name}: {value:.6g} instead of {wanted:.6g}")
    print(f"# {true} rates are true, {unknown} unknown, {wrong} neither; {around} of counters "
          f"that go round every 8 to 74 s; the agents were held up in {len(held)} s",
          file=sys.stderr)
    if len(good) == 7:
        print("# all devices have true rates", file=sys.stderr)


if sys.argv[1] == "turn":
    play(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
else:
    judge(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), held_up(sys.argv[6]))
