/* reshape.h - builds an RRD file of another shape out of the rows of old ones: another step,
 * other RRAs, points that come from other files.
 *
 * librrd's own way (create --source) is not used: it fills an unknown row from the next
 * coarser RRA that has a number there, so a gap becomes a value that nobody measured. Here:
 * - a row that an old RRA of the same function and duration has is copied as it is;
 * - else it is consolidated from the finest old rows that cover all of it, and is unknown
 *   when more than half of it is, as librrd does;
 * - else, for the mean, it takes the value of the shortest old row around it;
 * - MIN and MAX come from MIN and MAX or from single slots, never from means;
 * - what was unknown stays unknown.
 * What is under way in a row that is not complete yet goes along.
 *
 * Old files are only read, the new one stands beside them under a name of its own. All rows
 * are read back through librrd and compared before it says that it is done. */
#ifndef PW_RESHAPE_H
#define PW_RESHAPE_H

#include <stddef.h>
#include <stdint.h>
#include "store/rrd.h"
struct fail;
struct layout;

/* Where the history of a data source lies; a later one is used where the one before it has
 * nothing. */
#define RESHAPE_SOURCES 2
struct reshape_source {
	const char *file; /* below root */
	char ds[RRD_DS_NAME];
};
struct reshape_ds {
	char name[RRD_DS_NAME];
	struct reshape_source from[RESHAPE_SOURCES];
	size_t from_count; /* 0: nothing is known */
};
struct reshape {
	const char *root;
	const struct layout *layout;
	const struct reshape_ds *ds;
	size_t ds_count;
};
struct reshape_report {
	uint64_t rows;   /* values of all RRAs, read back */
	uint64_t common; /* of them: those that an old file has too, equal in both */
	int64_t last;    /* time of the last update, seconds */
};

/* Makes root/file, durably; one that is there is replaced. -1 and why: nothing is there. */
int reshape_build(const struct reshape *reshape, const char *file, struct reshape_report *report,
	struct fail *why);
#endif
