/* ageing.h - what happens to the ledger as it gets older, in steps of some ms each.
 *
 * Owns the closed parts (archive.h) and reads the closed files of runlog.h:
 *   a runlog of a day before, known to the checkpoint, becomes an archive of its runs;
 *   an archive of which all is older than 35 days is folded to hours;
 *   what is older than its series' `retain` is left out, up to a day early;
 *   an archive of which all is older than 400 days is deleted, one an hour: a clock that is
 *   years ahead for a while shall not cost the ledger.
 * Each of these replaces one file by one rename, or deletes one; whatever is begun is begun
 * anew after a crash. An archive that is damaged stays as it is until it is too old. */
#ifndef PW_AGEING_H
#define PW_AGEING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/archive.h"
struct fail;
struct series_catalogue;

#define AGEING_DAY (INT64_C(86400) * 1000000000)
#define AGEING_FOLD (35 * AGEING_DAY)
#define AGEING_EXPIRE (400 * AGEING_DAY)
/* Runs in one archive at most, and in one runlog before a new one is begun. */
#define AGEING_RUNS (UINT64_C(1) << 18)

struct ageing_now {
	const struct series_catalogue *catalogue;
	int64_t mono, wall;
	uint64_t safe;   /* runs below this number stand in a checkpoint */
	uint64_t growing; /* first number of the runlog that grows, 0 when none does */
	/* Changes with the series' retentions: archives made by others are written anew. */
	uint32_t retains;
};

struct ageing;
/* Sweeps what an interrupted step has left. NULL and why: what there is cannot be told just now. */
struct ageing *ageing_open(const char *state_dir, struct fail *why);
void ageing_close(struct ageing *ageing);
uint64_t ageing_end(const struct ageing *ageing); /* behind the last number archived; 1 at first */
/* The archives there are, in order. */
const struct archive_head *ageing_heads(const struct ageing *ageing, size_t *count);
/* One step; false when there was nothing to do. */
bool ageing_step(struct ageing *ageing, const struct ageing_now *now);

/* In order; free() it. Damaged heads are counted and left out. 0 with an errno that is not 0: what
 * there is cannot be told just now. For readers too. */
size_t ageing_list(const char *state_dir, struct archive_head **heads, uint64_t *damaged);
#endif
