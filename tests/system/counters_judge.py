"""The turns that counters.sh plays on the simulator, and the judge of what was stored.

    counters_judge.py turn CONTROL SECONDS SEED     plays, prints each turn
    counters_judge.py judge RRD_DIR FROM TO RATE    prints rates that are neither true nor unknown
"""
import glob
import os
import random
import subprocess
import sys
import time
import urllib.parse

ROWS = 8
OF_OCTETS = {"octets": 1, "ucast": 500, "mcast": 5000, "bcast": 10000, "errors": 1000000,
             "discards": 500000}
NEAR = 0.08
# An answer that was held up on this machine moves counts from one second to the next.
HELD_UP = 0.5


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


def is_true(ratios, i):
    """Of rates as parts of the true one, second by second: is that of second i right?"""
    if abs(ratios[i] - 1) < NEAR:
        return True
    if abs(ratios[i] - 1) > HELD_UP:
        return False
    # What one second lacks another has too much; or that one is unknown, so it cannot be seen.
    for first in range(max(0, i - 2), i + 1):
        for end in range(i + 1, min(len(ratios), first + 3) + 1):
            if abs(sum(ratios[first:end]) / (end - first) - 1) < NEAR:
                return True
    beside = ratios[max(0, i - 1):i] + ratios[i + 1:i + 2]
    return any(r != r for r in beside) and abs(ratios[i] - 1) < 0.3


def judge(folder, begin, end, rate):
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
            ratios = [values[name] / wanted for _, values in seconds]
            for i, ratio in enumerate(ratios):
                if ratio != ratio:
                    unknown += 1
                elif is_true(ratios, i):
                    true += 1
                    good.add(device)
                    around += device == "narrow" and what == "octets"
                else:
                    wrong += 1
                    print(f"{seconds[i][0]} {device} {row} {name}: {ratio * wanted:.6g} "
                          f"instead of {wanted:.6g}")
    print(f"# {true} rates are true, {unknown} unknown, {wrong} neither; {around} of counters "
          "that go round every 8 to 74 s", file=sys.stderr)
    if len(good) == 7:
        print("# all devices have true rates", file=sys.stderr)


if sys.argv[1] == "turn":
    play(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
else:
    judge(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
