"""Holds an RRD against the ledger, slot by slot, where the interval is a second.

    slots.py GAPS PATH FILE DS FROM TO VALUE      GAPS: of pollwerk --json gaps --from --to

Each slot from FROM to before TO has an account; each good one is stored and is VALUE within 1 %
(or, with since:T, the seconds since T, up to 4 late, modulo 65536); each other one is unknown in
the file and was lost because the machine was busy: at most a quarter of them; or for the reason that
$ALSO_LOST names. Prints what is otherwise; exit status 1 if anything was.
"""
import json
import os
import subprocess
import sys

MACHINE = {"timeout", "overrun"}
also = os.environ.get("ALSO_LOST")
gaps, path, file, ds, begin, end, value = sys.argv[1:]
begin, end = int(begin), int(end)
wrong = []

ledger = [gap for gap in json.load(open(gaps)) if gap["path"] == path]
if len(ledger) != 1 or ledger[0]["expected"] != end - begin:
    print("%s: the ledger has %s slots instead of %d" % (path, [g["expected"] for g in ledger], end - begin))
    sys.exit(1)
lost = {slot: span["reason"] for span in ledger[0]["spans"] for slot in range(span["from"], span["to"])}
if ledger[0]["good"] + len(lost) != end - begin:
    wrong.append("the ledger has %d good and %d lost ones" % (ledger[0]["good"], len(lost)))
busy = [slot for slot in lost if lost[slot] != also]
if len(busy) * 4 > end - begin:
    wrong.append("%d of %d slots were lost" % (len(busy), end - begin))

lines = subprocess.run(["rrdtool", "fetch", file, "AVERAGE", "-r", "1", "-s", str(begin - 1), "-e", str(end - 1)],
                       check=True, capture_output=True, text=True).stdout.splitlines()
column = lines[0].split().index(ds)
rows = {int(time): float(values.split()[column]) for time, values in (line.split(":") for line in lines[2:])}


def is_right(slot, stored):
    if value.startswith("since:"):
        return 0 <= stored - (slot - int(value[6:])) % 65536 <= 4
    return abs(stored / float(value) - 1) < 0.01


for slot in range(begin, end):
    stored = rows.get(slot, float("nan"))
    if slot in lost:
        if lost[slot] not in MACHINE and lost[slot] != also:
            wrong.append("slot %d was lost as %s" % (slot, lost[slot]))
        if stored == stored:
            wrong.append("slot %d was lost as %s, and is %r in the file" % (slot, lost[slot], stored))
    elif not is_right(slot, stored):
        wrong.append("slot %d is good, and %r in the file" % (slot, stored))
print("\n".join("%s: %s" % (path, what) for what in wrong))
sys.exit(1 if wrong else 0)
