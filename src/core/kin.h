/* kin.h - who is reached through whom, as places in the interval: parents are polled first.
 *
 * What is known of a device counts for those behind it, so its verdict of a slot should be there
 * before theirs is due. Pure: knows neither units nor time. Devices that have no parents and are
 * nobody's have the whole interval, as a stable hash of their names spreads them; so have those on
 * a line, which asks nobody itself: a busy bus needs all of the interval. */
#ifndef PW_KIN_H
#define PW_KIN_H

#include <stdint.h>
struct inventory;

/* The longest way from a device to one without parents, and to one that is nobody's parent. */
struct kin_rank {
	uint8_t above, below;
};

/* By index of its devices, for free(); NULL where no device has parents. Names that are not in
 * the inventory count for nothing. Ways longer than KIN_MOST are as long as that. */
#define KIN_MOST 20
struct kin_rank *kin_ranks(const struct inventory *inventory);

/* Ticks into an interval of so many. In the first quarter those that others are behind, each
 * generation after the one before; in the rest those that nobody is behind. */
uint32_t kin_phase(struct kin_rank rank, uint64_t hash, uint64_t ticks);
#endif
