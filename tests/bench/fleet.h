/* fleet.h - a plant on paper for the benches of the store: files of counters, their RRD files,
 * and a journal as a poller writes it. Values are rates as core/rate makes them: a whole count
 * by the time between two answers, which is never the same.
 *
 * Ends the program with a sentence when something refuses: a bench has nobody to tell. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stdint.h>
#include "core/series.h"
struct writer;

#define FLEET_DS 10
#define FLEET_DEVICE 48 /* files, of one device: polled together */

struct fleet {
	const char *dir;      /* below it: state/, rrd/ and more */
	uint32_t files;
	int64_t step;         /* ns */
	const char *profile;
	struct series_catalogue *catalogue;
};

void fleet_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void fleet_make_folders(const struct fleet *fleet);
/* The catalogue; as large as a poller's. */
void fleet_make(struct fleet *fleet);
void fleet_close(struct fleet *fleet);
uint32_t fleet_devices(const struct fleet *fleet);
/* "dev00012/if/3.rrd"; below any folder. */
void fleet_file(char *to, size_t size, uint32_t file);
/* Makes the first `files` files in that folder (below dir) in the profile "tiny", 20 KB each,
 * empty and ready for `first`; what they dirtied is on disk afterwards. */
void fleet_make_rrds(const struct fleet *fleet, const char *folder, uint32_t files, int64_t first);
/* Files from..to - 1, so that they are in the cache, and clean: what was dirty is on its way to
 * the disk. */
void fleet_read_rrds(const struct fleet *fleet, const char *folder, uint32_t from, uint32_t to);
void fleet_sync_rrds(const struct fleet *fleet, const char *folder); /* with all beside them */
int64_t fleet_rrd_bytes(const struct fleet *fleet);
double fleet_value(const struct fleet *fleet, uint32_t file, unsigned ds, int64_t slot);
/* When in its interval a device is polled; ns. */
int64_t fleet_phase(const struct fleet *fleet, uint32_t device);
/* When it answers: wall ns, as the journal has it. */
int64_t fleet_received(const struct fleet *fleet, uint32_t file, int64_t slot);
/* All samples of that slot of one device, as one task closes them. */
void fleet_poll(const struct fleet *fleet, struct writer *writer, uint32_t device, int64_t slot);

/* Of a process, 0 for this one. */
double fleet_cpu(int pid);                       /* seconds, user and system */
int64_t fleet_rss(int pid);                      /* octets */
int64_t fleet_io(int pid, const char *key);      /* of /proc/PID/io */
int64_t fleet_free(const char *dir);             /* octets on its disk */
#endif
