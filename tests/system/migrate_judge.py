#!/usr/bin/env python3
"""What is in RRD files, as rrdtool says: puts a history in, compares old and new.

fill FILE COPY      two hours of made values before the file's end, 1 s each; a copy of it
whole RRD_DIR LIST  each file of the catalogue is there, with the step that it says
compare OLD NEW     step 1 s before, 2 s after
"""
import math, os, random, shutil, subprocess, sys

HOURS = 2


def rrdtool(*arguments):
    done = subprocess.run(["rrdtool", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"rrdtool {arguments[0]} {arguments[1]}: {done.stderr.strip()}")
    return done.stdout


def info(path):
    pairs = (line.split(" = ", 1) for line in rrdtool("info", path).splitlines() if " = " in line)
    return {key: value.strip('"') for key, value in pairs}


def names(path):
    return [key[3:-7] for key in info(path) if key.startswith("ds[") and key.endswith("].index")]


def fill(path, copy):
    last, ds = int(rrdtool("last", path)), names(path)
    made = path + ".made"
    random.seed(last)
    rrdtool("create", made, "--step", 1, "--start", last - HOURS * 3600 - 1, "--template", path)
    rows = []
    for time in range(last - HOURS * 3600, last + 1):
        gap = time % 2000 < 400
        rows.append(f"{time}:" + ":".join("U" if gap or random.random() < 0.1 else
            repr(random.uniform(0, 1e6)) for _ in ds))
    for at in range(0, len(rows), 200):
        rrdtool("update", made, "--template", ":".join(ds), *rows[at:at + 200])
    shutil.copystat(path, made)
    os.rename(made, path)
    shutil.copy(path, copy)


def whole(root, catalogue):
    wanted = {}
    for line in open(catalogue):
        crc, number, kind, step, profile, unit, file, ds, path = line.rstrip("\n").split("\t")
        if file:
            wanted[file] = int(step) // 10**9
    for file, step in wanted.items():
        if int(info(os.path.join(root, file))["step"]) != step:
            sys.exit(f"{file}: not the step of the catalogue, {step} s")


def fetch(path, function, resolution, start, end):
    text = rrdtool("fetch", path, function, "-r", resolution, "-s", start, "-e", end).splitlines()
    columns, rows = text[0].split(), {}
    for line in text[2:]:
        time, values = line.split(":")
        rows[int(time)] = dict(zip(columns, map(float, values.split())))
    times = sorted(rows)
    if len(times) < 2 or times[1] - times[0] != resolution:
        sys.exit(f"{path}: no {function} rows of {resolution} s")
    return rows


def same(a, b):
    return math.isnan(a) == math.isnan(b) and (math.isnan(a) or
        abs(a - b) <= 1e-9 * max(abs(a), abs(b)))


def compare(old, new):
    end, ds, compared = int(rrdtool("last", old)), names(old), 0
    for function in ("AVERAGE", "MIN", "MAX"):
        for resolution in (60, 300, 3600):
            stop = end - end % resolution
            start = stop - 2 * 86400 + resolution
            was = fetch(old, function, resolution, start, stop - 1)
            now = fetch(new, function, resolution, start, stop - 1)
            for time in sorted(set(was) & set(now)):
                for name in ds:
                    compared += not math.isnan(was[time][name])
                    if not same(was[time][name], now[time][name]):
                        sys.exit(f"{function} {resolution} s at {time}, {name}: "
                            f"{was[time][name]} became {now[time][name]}")
    stop = end - end % 2
    start = stop - HOURS * 3600 + 4
    was = fetch(old, "AVERAGE", 1, start, stop - 1)
    now = fetch(new, "AVERAGE", 2, start, stop - 1)
    for time in range(start + 2, stop + 1, 2):
        for name in ds:
            known = [v for v in (was[time - 1][name], was[time][name]) if not math.isnan(v)]
            mean = sum(known) / len(known) if known else math.nan
            compared += bool(known)
            if not same(mean, now[time][name]):
                sys.exit(f"AVERAGE 2 s at {time}, {name}: {mean} became {now[time][name]}")
    if compared < 10000:
        sys.exit(f"only {compared} values compared")
    print(f"{compared} values")


{"fill": fill, "whole": whole, "compare": compare}[sys.argv[1]](*sys.argv[2:])
