/* copy.h - copies a file and takes its checksum on the way.
 *
 * A copy is made under its final name in a folder that is not yet used by anybody, so it is
 * neither synced nor renamed here: who made the folder syncs it as a whole. */
#ifndef PW_COPY_H
#define PW_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "backup/manifest.h"
struct fail;
struct copy;

enum copy_result { COPY_DONE, COPY_MISSING, COPY_FAILED };

struct copy_made {
	char hash[MANIFEST_HASH];
	int64_t bytes;
	unsigned repeats; /* of an RRD file that was written meanwhile */
};

struct copy *copy_new(void); /* holds a buffer */
void copy_free(struct copy *copy);

/* Copies what is in the file until its end is met; folders of `to` are made. The mode is
 * that of the source. to NULL: only the checksum. COPY_MISSING: there is no source. */
enum copy_result copy_file(struct copy *copy, const char *from, const char *to,
	struct copy_made *made, struct fail *why);
/* An RRD file that the store may be writing: as it was at one moment between two calls of
 * rrd_update. No lock is taken (the store would have to wait for it): the head of the file is
 * read before and after, and nobody may hold the write lock, in which librrd works, at two
 * moments in between; else it is copied again, for ten seconds at most. */
enum copy_result copy_rrd(struct copy *copy, const char *root, const char *file,
	const char *to, struct copy_made *made, struct fail *why);
/* A text as a file, synced by nobody. */
int copy_text(struct copy *copy, const char *text, size_t size, unsigned mode, const char *to,
	struct copy_made *made, struct fail *why);

/* mkdir of all that is missing above that path. */
int copy_make_folders(const char *path, struct fail *why);
/* Removes a folder with all that is in it; what is not there is fine. */
int copy_remove_tree(const char *path, struct fail *why);
#endif
