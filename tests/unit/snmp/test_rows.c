/* Names of rows: duplicates, renumbering, restarts of the poller. */
#include <stdio.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/portion.h"
#include "fake/loop_sim.h"
#include "journal/state.h"
#include "snmp/rows.h"
#include "../check.h"
#include "../scratch.h"

static struct rows *rows;

/* Several pollers one after the other: what is known of the rows stands in a state that outlives them. */
static struct loop *loop;
static struct state *state;

static void
begin_pollers(void)
{
	struct fail why;

	scratch_make();
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	loop = loop_new(&why);
}

static void
begin_poller(void)
{
	struct fail why;

	state = state_open(loop, scratch_path("rows"), &why);
	CHECK(state != NULL);
	rows = rows_new("sw if", 1, state);
}

static void
end_poller(void)
{
	rows_free(rows);
	CHECK(state_close(state));
}

static void
end_pollers(void)
{
	loop_free(loop);
	scratch_remove();
}

/* By and by, a row at a time. */
static void
name_rows(void)
{
	struct portion portion;

	do
		portion = (struct portion){ .left = 1 };
	while (!rows_name(rows, &portion));
}

/* One poll: "INDEX=TEXT" for each row. */
static void
poll_rows(const char *const *told)
{
	static char texts[16][ROW_KEY + 1];
	size_t row_count = 0;

	rows_begin(rows, 1, 0);
	for (; *told != NULL; told++) {
		unsigned index;
		char *text = texts[row_count++];
		uint32_t id;
		struct row *row;

		CHECK(row_count <= sizeof texts / sizeof texts[0]);
		text[0] = '\0';
		CHECK(sscanf(*told, "%u=%80[^\n]", &index, text) >= 1);
		id = index;
		row = rows_sight(rows, &id, 1);
		row->text = text;
	}
	name_rows();
	rows_end(rows);
}
#define POLL(...) poll_rows((const char *const[]){ __VA_ARGS__, NULL })

static const char *
key_of(uint32_t index)
{
	const struct row *row;

	for (size_t i = 0; i < rows_present(rows); i++) {
		row = rows_at(rows, i);
		if (row->index_count == 1 && row->index[0] == index)
			return row->history != NULL ? row->history->key : "hidden";
	}
	return "absent";
}

static void
a_row_is_named_by_its_text(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("1=ge-1/1", "2=ge-1/2");
	CHECK_STR(key_of(1), "ge-1/1");
	CHECK_STR(key_of(2), "ge-1/2");
	rows_free(rows);
}

static void
a_row_without_a_text_is_named_by_its_index(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("7=", "8=port");
	CHECK_STR(key_of(7), "7");
	rows_free(rows);
}

/* Of a port that is plugged in while the table is read. */
static void
a_new_row_without_a_text_is_believed_in_the_second_poll_where_others_have_one(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("1=a");
	POLL("1=a", "2=");
	CHECK_STR(key_of(2), "hidden");
	CHECK(!rows_lack_text(rows));
	POLL("1=a", "2=b", "3=");
	CHECK_STR(key_of(2), "b");
	CHECK_STR(key_of(3), "hidden");
	POLL("1=a", "2=b", "3=");
	CHECK_STR(key_of(3), "3");
	rows_free(rows);
	rows = rows_new("sw if", 1, NULL);
	POLL("1=");
	POLL("1=", "2=");
	CHECK_STR(key_of(2), "2");
	rows_free(rows);
}

static void
the_first_of_several_with_one_text_keeps_it_whatever_the_order_of_sight(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("9=eth", "3=eth", "5=eth");
	CHECK_STR(key_of(3), "eth");
	CHECK_STR(key_of(5), "eth#5");
	CHECK_STR(key_of(9), "eth#9");
	/* One that comes later does not take the name away, and going does not pass it on. */
	POLL("9=eth", "3=eth", "5=eth", "1=eth");
	CHECK_STR(key_of(1), "hidden");
	POLL("9=eth", "3=eth", "5=eth", "1=eth");
	CHECK_STR(key_of(3), "eth");
	CHECK_STR(key_of(1), "eth#1");
	POLL("9=eth", "5=eth");
	CHECK_STR(key_of(5), "eth#5");
	CHECK_STR(key_of(9), "eth#9");
	rows_free(rows);
}

static void
a_text_that_looks_like_a_duplicate_stays_apart(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("1=eth", "2=eth#3", "3=eth");
	CHECK_STR(key_of(1), "eth");
	CHECK_STR(key_of(2), "eth#3");
	CHECK(strcmp(key_of(3), "eth#3") != 0);
	CHECK(strncmp(key_of(3), "eth#", 4) == 0);
	rows_free(rows);
}

static void
renumbering_moves_the_history_with_the_name(void)
{
	struct row_history *history;

	rows = rows_new("sw if", 1, NULL);
	POLL("1=ge-1/1", "2=ge-1/2", "3=ge-1/3");
	history = rows_at(rows, 0)->history;
	history->runs[0] = 77;
	POLL("1=ge-1/3", "2=ge-1/1", "3=ge-1/2");
	CHECK_STR(key_of(1), "ge-1/3");
	CHECK_STR(key_of(2), "ge-1/1");
	CHECK(rows_at(rows, 1)->history == history);
	CHECK_INT(history->runs[0], 77);
	POLL("101=ge-1/1", "102=ge-1/2");
	CHECK_STR(key_of(101), "ge-1/1");
	CHECK(rows_at(rows, 0)->history == history);
	rows_free(rows);
}

static void
a_hidden_row_gets_no_name(void)
{
	uint32_t one = 1;

	rows = rows_new("sw if", 1, NULL);
	POLL("1=ge-1/1");
	rows_begin(rows, 2, 0);
	rows_sight(rows, &one, 1)->hidden = true;
	name_rows();
	CHECK_STR(key_of(1), "hidden");
	rows_free(rows);
}

static void
a_row_whose_text_is_missing_is_named_by_its_index_when_it_is_missing_again(void)
{
	struct row_history *history;

	rows = rows_new("sw if", 1, NULL);
	POLL("1=ge-1/1", "2=ge-1/2");
	history = rows_at(rows, 0)->history;
	for (int i = 0; i < 2; i++) {
		POLL("1=", "2=ge-1/2");
		CHECK_STR(key_of(1), "hidden");
		CHECK_STR(key_of(2), "ge-1/2");
		POLL("1=ge-1/1", "2=ge-1/2");
		CHECK(rows_at(rows, 0)->history == history);
		CHECK_INT(history->resets, 0);
	}
	/* Meanwhile the index was given to another one. */
	POLL("1=", "2=");
	POLL("1=ge-1/2", "2=ge-1/1");
	CHECK_STR(key_of(1), "ge-1/2");
	CHECK_STR(key_of(2), "ge-1/1");
	POLL("1=ge-1/2", "2=");
	POLL("1=ge-1/2", "2=");
	CHECK_STR(key_of(2), "2");
	POLL("1=ge-1/2", "2=");
	CHECK_STR(key_of(2), "2");
	rows_free(rows);
}

static void
long_texts_stay_apart(void)
{
	char a[128], b[128];

	memset(a, 'x', sizeof a);
	memcpy(a, "11=", 3);
	a[90] = '\0';
	memcpy(b, a, sizeof b);
	b[1] = '2';
	rows = rows_new("sw if", 1, NULL);
	POLL(a, b);
	CHECK_INT(strlen(key_of(11)), ROW_KEY);
	CHECK_INT(strlen(key_of(12)), ROW_KEY);
	CHECK_STR(key_of(12) + ROW_KEY - 3, "#12");
	rows_free(rows);
}

static void
names_of_duplicates_outlive_the_poller(void)
{
	begin_pollers();
	for (int run = 0; run < 2; run++) {
		begin_poller();
		if (run == 0)
			POLL("3=eth", "5=eth");
		POLL("1=eth", "3=eth", "5=eth");
		POLL("1=eth", "3=eth", "5=eth");
		CHECK_STR(key_of(3), "eth");
		CHECK_STR(key_of(5), "eth#5");
		CHECK_STR(key_of(1), "eth#1");
		end_poller();
	}
	end_pollers();
}

static void
a_text_that_is_missing_when_the_poller_begins_is_missed_as_well(void)
{
	begin_pollers();
	for (int run = 0; run < 2; run++) {
		begin_poller();
		if (run == 1) {
			POLL("1=", "2=b", "3=");
			CHECK_STR(key_of(1), "hidden");
			CHECK_STR(key_of(2), "b");
			CHECK_STR(key_of(3), "hidden");
			CHECK(rows_lack_text(rows));
		}
		POLL("1=a", "2=b");
		CHECK_STR(key_of(1), "a");
		end_poller();
	}
	end_pollers();
}

static void
a_switch_that_numbers_anew_while_a_new_poller_reads_it_makes_up_no_rows_either(void)
{
	begin_pollers();
	for (int run = 0; run < 2; run++) {
		begin_poller();
		if (run == 0) {
			POLL("1=a", "2=b", "3=c", "4=c");
		} else {
			POLL("1=a", "2=b", "1002=b", "1003=c", "1004=c");
			CHECK_STR(key_of(2), "b");
			CHECK_STR(key_of(1002), "hidden");
			POLL("1001=a", "1002=b", "1003=c", "1004=c");
			CHECK_STR(key_of(1002), "b");
			CHECK_STR(key_of(1004), "c#1004");
		}
		end_poller();
	}
	end_pollers();
}

static const struct row_history *
history_of(uint32_t index)
{
	for (size_t i = 0; i < rows_present(rows); i++)
		if (rows_at(rows, i)->index[0] == index)
			return rows_at(rows, i)->history;
	fail_msg("row %u is not there", index);
	return NULL;
}

static void
a_name_that_takes_the_place_of_another_may_be_another_interface(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("1=uplink", "2=press", "3=spare");
	/* Swapped by a person or by the switch: the counters may have stayed where they are. */
	POLL("1=press", "2=uplink", "3=spare");
	CHECK_STR(key_of(1), "press");
	CHECK_INT(history_of(1)->resets, 1);
	CHECK_INT(history_of(2)->resets, 1);
	CHECK_INT(history_of(3)->resets, 0);
	POLL("1=press", "2=uplink", "3=spare");
	CHECK_INT(history_of(1)->resets, 1);
	/* Indexes that nobody had: the switch numbers anew, or the first ones have their names back. */
	POLL("1001=press", "1002=uplink", "1003=spare");
	CHECK_INT(history_of(1001)->resets, 2);
	CHECK_INT(history_of(1003)->resets, 0);
	rows_free(rows);
}

static void
of_several_with_one_text_nobody_knows_who_is_who_after_a_renumbering(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("3=eth", "5=eth", "7=up");
	POLL("3=eth", "5=eth", "7=up");
	CHECK_INT(history_of(3)->resets, 0);
	POLL("1005=eth", "1003=eth", "1007=up");
	CHECK_STR(key_of(1003), "eth");
	CHECK_INT(history_of(1003)->resets, 1);
	POLL("1005=eth", "1003=eth", "1007=up");
	CHECK_STR(key_of(1005), "eth#1005");
	CHECK_INT(history_of(1003)->resets, 1);
	CHECK_INT(history_of(1007)->resets, 0);
	rows_free(rows);
	/* The second one comes in the same poll as the new numbers. */
	rows = rows_new("sw if", 1, NULL);
	POLL("3=eth");
	POLL("1005=eth", "1003=eth");
	CHECK_INT(history_of(1003)->resets, 1);
	rows_free(rows);
}

/* The one that a name went to for a while is not the one that gets it back. */
static void
that_several_had_one_text_outlives_the_poller(void)
{
	begin_pollers();
	for (int run = 0; run < 3; run++) {
		begin_poller();
		if (run == 0) {
			POLL("3=press", "5=eth", "7=up", "9=saw");
			POLL("3=eth", "5=spare", "7=eth", "9=saw");
			POLL("3=eth", "5=spare", "7=eth", "9=saw");
			CHECK_STR(key_of(7), "eth#7");
			POLL("3=press", "5=spare", "7=eth", "9=saw");
		} else {
			POLL("1003=press", "1005=spare", "1007=eth", "1009=saw");
			CHECK_STR(key_of(1007), "eth");
			CHECK_INT(history_of(1007)->resets, 1);
			CHECK_INT(history_of(1009)->resets, 0);
		}
		CHECK(state_get(state, "sw if *eth") != NULL);
		CHECK(state_get(state, "sw if *saw") == NULL);
		if (run == 2) {
			rows_begin(rows, 1000, 100); /* retired: forgotten for good */
			CHECK(state_get(state, "sw if *eth") == NULL);
		}
		end_poller();
	}
	end_pollers();
}

/* Who has had it all along was not seen meanwhile. */
static void
a_name_that_comes_back_from_another_interface_has_another_ones_counters(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("3=press", "5=saw");
	POLL("5=press");
	CHECK_INT(history_of(5)->resets, 1);
	POLL("3=press", "5=saw");
	CHECK_STR(key_of(3), "press");
	CHECK_INT(history_of(3)->resets, 2);
	rows_free(rows);
}

static void
a_name_that_only_one_has_had_for_long_goes_on_over_a_renumbering(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("3=press", "5=saw");
	POLL("3=press", "5=press");
	for (int poll = 0; poll < 13; poll++)
		POLL("3=press", "5=saw");
	POLL("1003=press", "1005=saw");
	CHECK_INT(history_of(1003)->resets, 0);
	POLL("1003=press", "1005=press");
	POLL("3=press", "5=saw");
	CHECK_INT(history_of(3)->resets, 1);
	rows_free(rows);
}

static void
a_switch_that_numbers_anew_while_it_is_read_makes_up_no_rows(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("1=a", "2=b", "3=c");
	POLL("1=a", "2=b", "1002=b", "1003=c");
	CHECK_STR(key_of(2), "b");
	CHECK_STR(key_of(1002), "hidden");
	CHECK_STR(key_of(1003), "c");
	POLL("1001=a", "1002=b", "1003=c");
	CHECK_STR(key_of(1002), "b");
	/* A second one that comes and goes and comes is not believed either. */
	POLL("1001=a", "1002=b", "1003=c", "7=b");
	POLL("1001=a", "1002=b", "1003=c");
	POLL("1001=a", "1002=b", "1003=c", "7=b");
	CHECK_STR(key_of(7), "hidden");
	POLL("1001=a", "1002=b", "1003=c", "7=b");
	CHECK_STR(key_of(7), "b#7");
	rows_free(rows);
}

static struct row *
row_of(uint32_t index)
{
	for (size_t i = 0; i < rows_present(rows); i++)
		if (rows_at(rows, i)->index[0] == index)
			return rows_at(rows, i);
	fail_msg("row %u is not there", index);
	return NULL;
}

static void
a_row_is_kept_from_the_first_time_that_it_is_up(void)
{
	rows = rows_new("sw if", 1, NULL);
	POLL("1=a", "2=b");
	CHECK(!rows_keep(rows, row_of(1), ROW_DOWN, 0));
	CHECK(!rows_keep(rows, row_of(1), ROW_STATUS_UNREAD, 0));
	CHECK(rows_keep(rows, row_of(1), ROW_UP, 0));
	CHECK(rows_keep(rows, row_of(1), ROW_DOWN, 0));
	CHECK(rows_keep(rows, row_of(1), ROW_STATUS_UNREAD, 0));
	/* It belongs to the name, whatever its number. */
	POLL("7=a", "2=b");
	CHECK(rows_keep(rows, row_of(7), ROW_DOWN, 0));
	CHECK(!rows_keep(rows, row_of(2), ROW_DOWN, 0));
	rows_free(rows);
}

static void
a_row_that_was_switched_off_is_let_go_after_its_grace(void)
{
	uint32_t index = 1;

	rows = rows_new("sw if", 1, NULL);
	for (int64_t now = 1; now < 400; now += 100) {
		rows_begin(rows, now, 0);
		rows_sight(rows, &index, 1)->text = "a";
		name_rows();
		CHECK(rows_keep(rows, row_of(1), now == 1 ? ROW_UP : ROW_DOWN, 200) ==
			(now <= 201));
	}
	CHECK(rows_keep(rows, row_of(1), ROW_UP, 200));
	rows_free(rows);
}

static void
what_was_up_is_kept_over_restarts_of_the_poller_until_it_is_gone(void)
{
	begin_pollers();
	for (int run = 0; run < 3; run++) {
		begin_poller();
		POLL("1=a", "2=b");
		CHECK(rows_keep(rows, row_of(1), run == 0 ? ROW_UP : ROW_DOWN, 0) == (run < 2));
		CHECK(!rows_keep(rows, row_of(2), ROW_DOWN, 0));
		rows_end(rows);
		if (run == 1) {
			rows_begin(rows, 1000, 100); /* retired: forgotten for good */
			rows_end(rows);
		}
		end_poller();
	}
	end_pollers();
}

RUN_TESTS(TEST(a_row_is_named_by_its_text), TEST(a_row_without_a_text_is_named_by_its_index),
	TEST(a_new_row_without_a_text_is_believed_in_the_second_poll_where_others_have_one),
	TEST(the_first_of_several_with_one_text_keeps_it_whatever_the_order_of_sight),
	TEST(a_text_that_looks_like_a_duplicate_stays_apart),
	TEST(renumbering_moves_the_history_with_the_name), TEST(a_hidden_row_gets_no_name),
	TEST(a_row_whose_text_is_missing_is_named_by_its_index_when_it_is_missing_again),
	TEST(long_texts_stay_apart), TEST(names_of_duplicates_outlive_the_poller),
	TEST(a_switch_that_numbers_anew_while_a_new_poller_reads_it_makes_up_no_rows_either),
	TEST(a_text_that_is_missing_when_the_poller_begins_is_missed_as_well),
	TEST(a_name_that_takes_the_place_of_another_may_be_another_interface),
	TEST(of_several_with_one_text_nobody_knows_who_is_who_after_a_renumbering),
	TEST(that_several_had_one_text_outlives_the_poller),
	TEST(a_name_that_comes_back_from_another_interface_has_another_ones_counters),
	TEST(a_name_that_only_one_has_had_for_long_goes_on_over_a_renumbering),
	TEST(a_switch_that_numbers_anew_while_it_is_read_makes_up_no_rows),
	TEST(a_row_is_kept_from_the_first_time_that_it_is_up),
	TEST(a_row_that_was_switched_off_is_let_go_after_its_grace),
	TEST(what_was_up_is_kept_over_restarts_of_the_poller_until_it_is_gone))
