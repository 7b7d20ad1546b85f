"""What rates may lie beside the formula of snmp_sim, because it had to wait for its processor
between looking at its clock and sending (held_up.awk is the same for shell scripts)."""
APART = 0.5  # two readings of a busy machine are half a second apart and more


def held_up(path):
    """slot -> for how long the agents had to wait for their processor between looking at their
    clock and sending, in seconds"""
    held = {}
    for words in map(str.split, open(path)):
        if words[:2] == ["#", "held-up"]:
            begin, end = int(words[2]) / 1e9, int(words[3]) / 1e9
            for slot in range(int(begin) - 1, int(end) + 1):
                held[slot] = max(held.get(slot, 0), end - begin)
    return held


def allowed(held, since, slot):
    """Least and most part of the true rate, for one counted from a reading in `since` or later."""
    longest = max(held.get(s, 0) for s in range(since, slot + 1))
    return APART / (APART + longest), APART / (APART - longest) if longest < APART * 0.9 else 10
