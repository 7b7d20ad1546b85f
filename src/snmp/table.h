/* table.h - one poll of a table: walks its columns side by side and joins them by row.
 *
 * Pure but for what it tells to the task: snmp.c carries the questions. A row is whatever
 * index turns up in any column; a missing cell costs only that cell. A column that does not
 * increase is stopped, a table that does not end too; what was read so far is kept. */
#ifndef PW_TABLE_H
#define PW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "snmp/plan.h"
struct fail;
struct group;
struct portion;
struct state;

#define TABLE_ROWS_MAX 20000

struct table;
/* state keeps the rows' names over restarts; NULL: for this run only. NULL and why when
 * include or exclude is no regular expression. */
struct table *table_new(const char *device, const struct group *group, struct state *state,
	struct fail *why);
void table_free(struct table *table); /* NULL is fine */

/* A poll begins or an answer is fed soon: fetches what that needs, at steps from 0 to
 * TABLE_STEPS - 1 (base/ahead.h), the last two for an answer only. NULL is fine. */
#define TABLE_STEPS 5
void table_ahead(const struct table *table, unsigned step);
void table_begin(struct table *table, const struct ask_context *context);
bool table_next(struct table *table, const struct ask_context *context,
	const struct ask_limit *limit, struct ask *ask);
/* Reads varbinds of the answer to that question, from *at on, as far as they are what is expected
 * after the last poll; returns how many, whole rows of them, and moves *at behind. Of the message
 * 16 octets can be read before it. They count as soon as table_feed is told, by answer->known, and
 * not if another answer is read first: nothing else has changed. */
size_t table_read(struct table *table, const struct ask *ask, const uint8_t **at,
	const uint8_t *end);
/* answer->reason is good, or REASON_TOO_BIG for a question of one row of one column. */
void table_feed(struct table *table, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer);
/* Names the rows and tells them; complete: nothing is left to ask. False: there is more to do, and
 * the next call goes on with it; table_begin and table_free may come before. rest: the reason for
 * what was not told. */
bool table_end(struct table *table, const struct ask_context *context, bool complete,
	struct portion *portion, uint8_t *rest);
size_t table_rows(const struct table *table); /* found in this poll */
#endif
