/* estimate.h - what a configuration will ask for, store and need, before it runs.
 *
 * Counts what is configured; rows of tables are those of the catalogue, for tables that were
 * never asked an assumed number. Opens no device, needs no daemon. File sizes are exact,
 * requests and the journal are estimates. */
#ifndef PW_ESTIMATE_H
#define PW_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>
struct inventory;
struct series_catalogue;

/* Files of one profile and step. */
struct estimate_kind {
	const char *profile; /* the inventory's */
	int64_t step;        /* ns */
	size_t files, sources;
	int64_t bytes;
};

struct estimate {
	size_t devices, points, tables; /* points: scalars */
	size_t lines; /* of the configuration, with points of their own */
	size_t rows, assumed_tables;    /* rows of all tables; tables whose rows are assumed */
	size_t series, files;
	double requests, values;        /* per second; values without texts */
	int64_t rrd_bytes;              /* all files */
	int64_t rrd_there;              /* of them: what they take on the disk already */
	double journal;                 /* bytes per second */
	int64_t pending;                /* bytes of rows that wait at store.flush */
	double files_written;           /* per second, at store.flush */
	struct estimate_kind *kinds;
	size_t kind_count;
};

/* catalogue NULL: nothing is known. rows: of a table that was never asked. */
void estimate_make(struct estimate *estimate, const struct inventory *inventory,
	const struct series_catalogue *catalogue, size_t rows);
void estimate_free(struct estimate *estimate);
#endif
