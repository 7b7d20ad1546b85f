# held_up.awk - what rates may lie beside the formula of snmp_sim, because it had to wait for its
# processor between looking at its clock and sending: then counters are older than their arrival.
#   grep '^# held-up' LOG >held; awk -v step=SECONDS -f held_up.awk -f JUDGE held FILE...
#
# The judge has held(since, slot): for a rate in this slot, counted from a reading in slot
# `since` or later, least and most are then the parts of the true rate that are allowed.
/^# held-up / {
	held_from = $3 / 1e9
	held_to = $4 / 1e9
	for (held_slot = (int(held_from / step) - 1) * step; held_slot <= held_to; held_slot += step)
		if (held_for[held_slot] < held_to - held_from)
			held_for[held_slot] = held_to - held_from
	next
}
function held(since, slot,  longest, apart, s)
{
	longest = 0
	for (s = since; s <= slot; s += step)
		if (s in held_for && held_for[s] > longest)
			longest = held_for[s]
	# Two readings of a busy machine are half an interval apart and more.
	apart = step / 2
	least = apart / (apart + longest)
	most = longest < apart * 0.9 ? apart / (apart - longest) : 10
}
