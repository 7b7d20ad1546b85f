/* restore.h - checks a backup, and puts it in the place of what is there.
 *
 * Checked are: the list of files and each checksum, each RRD file (opened by librrd, its
 * step held against the catalogue), checkpoint, catalogue, every record of the journal,
 * every run of the ledger.
 *
 * Put back is into new folders beside the places; each checksum is taken again on the way.
 * When all is on the disk, what was there is renamed to NAME.before-TIME (never deleted) and
 * the new folders get their names, STATE_DIR last. The lock of STATE_DIR is held, of the old
 * one and of the new one. What RUN_DIR remembers of values goes: it belongs to other ids.
 *
 * The time since the backup counts as poller-down: the restored journal says up to which
 * slot each series is closed. Numbers of notices and alarms go on behind those of the state
 * that was there, or a million ahead when there is none (journal/numbers.h): none gets a
 * second content. So do the numbers of the ledger's runs, which gaps --since counts by. */
#ifndef PW_RESTORE_H
#define PW_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;

struct restore_options {
	const char *source;
	void (*bad)(void *arg, const char *line); /* what is wrong with the backup, a line each */
	void (*say)(void *arg, const char *line); /* what is no failure */
	void (*progress)(void *arg, uint64_t files, uint64_t all_files, int64_t bytes,
		int64_t all_bytes);
	void *arg;
};

/* What DEST/backup.json says, and what a check has found. */
struct restore_info {
	char state_dir[512], rrd_dir[512], run_dir[512], user[64], taken[40], poller[64];
	uint64_t files, rrd_files, series, bad;
	uint64_t expected, good; /* slots, by its ledger and journal */
	int64_t bytes;
};

/* 0; -1 and why when there is no backup of ours. */
int restore_look(const char *source, struct restore_info *info, struct fail *why);
/* Checks everything; info->bad counts the lines that were told. 0, or -1 and why when it could
 * not even be begun. */
int restore_verify(const struct restore_options *options, struct restore_info *info,
	struct fail *why);

struct restore_places {
	const char *state_dir, *rrd_dir, *run_dir;
	const char *user; /* to whom the files are given when we are root; "" nobody */
	bool force;       /* what is there is moved aside */
};
/* 0, or -1 and why: then nothing has changed, unless why says so. *numbers: at which notice
 * it goes on. */
int restore_put(const struct restore_options *options, const struct restore_places *places,
	uint32_t *next_notice, struct fail *why);

/* Puts back the files of DEST/config to where they were; what is there and differs is renamed
 * to NAME.before-TIME. How many, or -1 and why. */
int restore_config(const struct restore_options *options, struct fail *why);
#endif
