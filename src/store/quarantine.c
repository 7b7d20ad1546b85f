#include "store/quarantine.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/log.h"
#include "base/mem.h"
#include "journal/segment.h"
#include "store/rrd.h"

struct inmate {
	char *file;
	uint64_t inode;
	UT_hash_handle hh;
};

struct quarantine {
	char *state_dir, *rrd_dir, *path;
	struct inmate *inmates;
};

static void
put(struct quarantine *quarantine, const char *file, uint64_t inode)
{
	struct inmate *inmate;

	HASH_FIND_STR(quarantine->inmates, file, inmate);
	if (inmate == NULL) {
		inmate = mem_zero(sizeof *inmate);
		inmate->file = mem_text(file);
		HASH_ADD_KEYPTR(hh, quarantine->inmates, inmate->file, strlen(inmate->file), inmate);
	}
	inmate->inode = inode;
}

static void
release(struct quarantine *quarantine, struct inmate *inmate)
{
	HASH_DEL(quarantine->inmates, inmate);
	free(inmate->file);
	free(inmate);
}

static void
load(struct quarantine *quarantine)
{
	FILE *list = fopen(quarantine->path, "re");
	char *line = NULL, *file;
	size_t room = 0;

	if (list == NULL && errno != ENOENT)
		log_error("%s: %s", quarantine->path, strerror(errno));
	while (list != NULL && getline(&line, &room, list) > 0) {
		uint64_t inode = strtoull(line, &file, 10);

		line[strcspn(line, "\n")] = '\0';
		if (*file == ' ' && file[1] != '\0')
			put(quarantine, file + 1, inode);
	}
	free(line);
	if (list != NULL)
		fclose(list);
}

static int
write_list(const struct quarantine *quarantine, const char *path)
{
	FILE *list = fopen(path, "we");
	bool failed;

	if (list == NULL)
		return -1;
	for (struct inmate *inmate = quarantine->inmates; inmate != NULL; inmate = inmate->hh.next)
		fprintf(list, "%llu %s\n", (unsigned long long)inmate->inode, inmate->file);
	failed = fflush(list) == EOF || fsync(fileno(list)) == -1;
	return fclose(list) == EOF || failed ? -1 : 0;
}

static void
save(const struct quarantine *quarantine)
{
	char *fresh = mem_format("%s.new", quarantine->path);

	if (write_list(quarantine, fresh) == -1 || rename(fresh, quarantine->path) == -1 ||
		segment_sync_path(quarantine->state_dir) == -1)
		log_error("%s: %s", quarantine->path, strerror(errno));
	free(fresh);
}

struct quarantine *
quarantine_open(const char *state_dir, const char *rrd_dir)
{
	struct quarantine *quarantine = mem_zero(sizeof *quarantine);

	quarantine->state_dir = mem_text(state_dir);
	quarantine->rrd_dir = mem_text(rrd_dir);
	quarantine->path = mem_format("%s/quarantine", state_dir);
	load(quarantine);
	return quarantine;
}

void
quarantine_close(struct quarantine *quarantine)
{
	if (quarantine == NULL)
		return;
	while (quarantine->inmates != NULL)
		release(quarantine, quarantine->inmates);
	free(quarantine->state_dir);
	free(quarantine->rrd_dir);
	free(quarantine->path);
	free(quarantine);
}

void
quarantine_add(struct quarantine *quarantine, const char *file)
{
	put(quarantine, file, rrd_file_inode((struct rrd_place){ quarantine->rrd_dir, file }));
	save(quarantine);
}

bool
quarantine_holds(struct quarantine *quarantine, const char *file)
{
	struct inmate *inmate;

	HASH_FIND_STR(quarantine->inmates, file, inmate);
	if (inmate == NULL)
		return false;
	if (inmate->inode == rrd_file_inode((struct rrd_place){ quarantine->rrd_dir, file }))
		return true;
	release(quarantine, inmate);
	save(quarantine);
	return false;
}
