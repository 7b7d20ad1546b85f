#include "path/account.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "journal/record.h"

void
account_init(struct account *account, int64_t window)
{
	memset(account, 0, sizeof *account);
	account->part_size = window / ACCOUNT_PARTS > 0 ? window / ACCOUNT_PARTS : 1;
}

void
account_free(struct account *account)
{
	free(account->entries);
	account->entries = NULL;
	account->first = account->count = account->room = 0;
}

static int64_t
part_of(const struct account *account, int64_t wall)
{
	int64_t part = wall / account->part_size;

	return wall % account->part_size < 0 ? part - 1 : part;
}

static void
drop_old(struct account *account)
{
	while (account->count > 0) {
		struct account_entry *oldest = &account->entries[account->first];

		if (oldest->part > account->newest - ACCOUNT_PARTS)
			break;
		account->total.count[oldest->reason] -= oldest->count;
		account->first++;
		account->count--;
	}
}

static void
advance_to(struct account *account, int64_t part)
{
	if (part <= account->newest)
		return;
	account->newest = part;
	drop_old(account);
}

void
account_advance(struct account *account, int64_t wall)
{
	advance_to(account, part_of(account, wall));
}

static void
make_room(struct account *account)
{
	if (account->first + account->count < account->room)
		return;
	if (account->first > account->room / 2) {
		memmove(account->entries, account->entries + account->first,
			account->count * sizeof *account->entries);
		account->first = 0;
		return;
	}
	account->room = account->room * 2 + 16;
	account->entries = mem_grow(account->entries, account->room, sizeof *account->entries);
}

/* Nearly always the last entry or one of the few before it: slots come in order. */
static void
add_entry(struct account *account, int64_t part, uint8_t reason, uint64_t count)
{
	struct account_entry *begin, *at;

	if (part <= account->newest - ACCOUNT_PARTS || count == 0)
		return;
	advance_to(account, part);
	account->total.count[reason] += count;
	make_room(account);
	begin = account->entries + account->first;
	for (at = begin + account->count; at > begin && at[-1].part >= part; at--) {
		if (at[-1].part == part && at[-1].reason == reason) {
			at[-1].count += count;
			return;
		}
	}
	memmove(at + 1, at, (size_t)(begin + account->count - at) * sizeof *at);
	*at = (struct account_entry){ .part = part, .count = count, .reason = reason };
	account->count++;
}

void
account_add(struct account *account, int64_t first, int64_t last, int64_t step,
	uint8_t reason)
{
	int64_t oldest;

	if (first > last)
		return;
	account_advance(account, last * step);
	oldest = (account->newest - ACCOUNT_PARTS + 1) * account->part_size;
	/* A run may be years long: begin where the window does. */
	if (first * step < oldest)
		first = oldest / step + (oldest % step > 0);
	while (first <= last) {
		int64_t part = part_of(account, first * step);
		int64_t end = (part + 1) * account->part_size; /* first instant behind it */
		int64_t until = (end - 1) / step;

		if (until > last)
			until = last;
		add_entry(account, part, reason, (uint64_t)(until - first + 1));
		first = until + 1;
	}
}

double
account_budget(const struct account *account, double target, double expected)
{
	double lost = (double)tally_lost(&account->total), left;
	double allowed = (100 - target) / 100 * expected;

	if (target <= 0 || expected <= 0)
		return NAN;
	if (lost <= 0)
		return 100;
	left = allowed > 0 ? 100 * (allowed - lost) / allowed : -999;
	return left < -999 ? -999 : left;
}

void
account_put(const struct account *account, struct record_buffer *body)
{
	record_put_u64(body, (uint64_t)account->part_size);
	record_put_u64(body, (uint64_t)account->newest);
	record_put_u32(body, (uint32_t)account->count);
	for (size_t i = 0; i < account->count; i++) {
		const struct account_entry *entry = &account->entries[account->first + i];

		record_put_u64(body, (uint64_t)entry->part);
		record_put_u8(body, entry->reason);
		record_put_u64(body, entry->count);
	}
}

int
account_get(struct account *account, struct record_cursor *cursor)
{
	int64_t part_size = (int64_t)record_get_u64(cursor);
	int64_t newest = (int64_t)record_get_u64(cursor);
	uint32_t count = record_get_u32(cursor);

	if (cursor->failed || part_size <= 0 || newest > INT64_MAX / part_size)
		return -1;
	account_advance(account, newest * part_size);
	while (count-- > 0) {
		int64_t part = (int64_t)record_get_u64(cursor);
		uint8_t reason = record_get_u8(cursor);
		uint64_t slots = record_get_u64(cursor);

		if (cursor->failed || part > newest || part < 0)
			return -1;
		add_entry(account, part_of(account, part * part_size), reason, slots);
	}
	return 0;
}
