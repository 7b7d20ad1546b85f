#include "../check.h"

#include <math.h>
#include <stdio.h>

#include "../dice.h"
#include "core/sample.h"
#include "journal/record.h"
#include "path/account.h"

#define S INT64_C(1000000000)
#define DAY (86400 * S)

static uint64_t
roll(uint64_t *seed)
{
	return dice_next(seed) >> 33;
}

/* The plain model: every slot by itself, in an array. */
struct slot {
	int64_t time;
	uint8_t reason;
};

static void
check_against(const struct account *account, const struct slot *slots, size_t count)
{
	struct tally tally = { 0 };
	int64_t oldest = (account->newest - ACCOUNT_PARTS + 1) * account->part_size;

	for (size_t i = 0; i < count; i++)
		if (slots[i].time >= oldest)
			tally_add(&tally, slots[i].reason, 1);
	CHECK(memcmp(&tally, &account->total, sizeof tally) == 0);
}

static void
agrees_with_a_plain_list_of_slots_whatever_comes(void)
{
	static const uint8_t reasons[] = { REASON_GOOD, REASON_GOOD, REASON_TIMEOUT,
		REASON_POLLER_DOWN, REASON_EXCEPTION + 2, REASON_FIRST };
	static struct slot slots[60000];

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct account account;
		uint64_t state = seed;
		int64_t at[2] = { 20000, 40000 }, steps[2] = { 60 * S, 30 * S };
		size_t count = 0;

		account_init(&account, DAY);
		while (count < 8000) {
			int which = (int)(roll(&state) % 2);
			int64_t run = roll(&state) % 10 == 0 ? (int64_t)(roll(&state) % 400) : 0;
			uint8_t reason = reasons[roll(&state) % 6];

			account_add(&account, at[which], at[which] + run, steps[which], reason);
			for (int64_t k = at[which]; k <= at[which] + run; k++)
				slots[count++] = (struct slot){ k * steps[which], reason };
			at[which] += run + 1;
			/* Neither series runs far ahead of the other, as in a plant. */
			if (at[0] * 2 > at[1] + 60)
				at[1] = at[0] * 2;
			if (at[1] > at[0] * 2 + 60)
				at[0] = at[1] / 2;
			if (roll(&state) % 500 == 0)
				check_against(&account, slots, count);
		}
		check_against(&account, slots, count);
		account_free(&account);
	}
}

static void
a_run_of_years_costs_no_more_than_the_window(void)
{
	struct account account;

	account_init(&account, DAY);
	account_add(&account, 1, INT64_C(1000000000), S, REASON_POLLER_DOWN);
	CHECK(account.count <= ACCOUNT_PARTS);
	CHECK_INT(tally_expected(&account.total), 86340 + 1000000000 % 60 + 1);
	account_free(&account);
}

static void
the_budget_is_what_is_left_of_the_allowed_loss(void)
{
	struct account account;

	account_init(&account, DAY);
	/* 99.5 % of 17,280 slots of 5 s: 86.4 may be lost in a day. */
	CHECK_NEAR(account_budget(&account, 99.5, 17280), 100, 1e-9);
	account_add(&account, 100000, 100042, 5 * S, REASON_TIMEOUT);
	CHECK_NEAR(account_budget(&account, 99.5, 17280), 100 * (86.4 - 43) / 86.4, 1e-9);
	account_add(&account, 100043, 100172, 5 * S, REASON_POLLER_DOWN);
	CHECK_NEAR(account_budget(&account, 99.5, 17280), 100 * (86.4 - 43) / 86.4, 1e-9);
	account_add(&account, 100173, 101172, 5 * S, REASON_TIMEOUT);
	CHECK_NEAR(account_budget(&account, 99.5, 17280), -999, 1e-9);
	CHECK(isnan(account_budget(&account, 0, 17280)));
	account_advance(&account, 103000 * 5 * S + DAY);
	CHECK_NEAR(account_budget(&account, 99.5, 17280), 100, 1e-9);
	account_free(&account);
}

static void
comes_back_from_a_snapshot_and_refuses_a_cut_one(void)
{
	struct account account, again;
	struct record_buffer body = { 0 };
	struct record_cursor cursor;

	account_init(&account, DAY);
	for (int64_t k = 1000; k < 3000; k++)
		account_add(&account, k, k, 60 * S, k % 7 == 0 ? REASON_TIMEOUT : REASON_GOOD);
	account_put(&account, &body);
	account_init(&again, DAY);
	cursor = (struct record_cursor){ body.bytes, body.bytes + body.used, false };
	CHECK_INT(account_get(&again, &cursor), 0);
	CHECK(memcmp(&again.total, &account.total, sizeof again.total) == 0);
	account_advance(&account, 3500 * 60 * S);
	account_advance(&again, 3500 * 60 * S);
	CHECK(memcmp(&again.total, &account.total, sizeof again.total) == 0);
	account_free(&again);

	account_init(&again, DAY);
	cursor = (struct record_cursor){ body.bytes, body.bytes + body.used - 1, false };
	CHECK_INT(account_get(&again, &cursor), -1);
	account_free(&again);
	account_free(&account);
	record_buffer_free(&body);
}

RUN_TESTS(TEST(agrees_with_a_plain_list_of_slots_whatever_comes),
	TEST(a_run_of_years_costs_no_more_than_the_window),
	TEST(the_budget_is_what_is_left_of_the_allowed_loss),
	TEST(comes_back_from_a_snapshot_and_refuses_a_cut_one))
