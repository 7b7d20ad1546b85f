/* manifest.h - the list of a backup's files with their SHA-256, in the form of sha256sum(1):
 * `cd DEST && sha256sum -c SHA256SUMS` checks it without pollwerk.
 *
 * The last line is a comment with the count, so that a list that was cut off is noticed. The
 * only place that knows libcrypto. */
#ifndef PW_MANIFEST_H
#define PW_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;

#define MANIFEST_FILE "SHA256SUMS"
#define MANIFEST_HASH 65 /* hexadecimal, with its NUL */

/* ---- one checksum ---- */
struct hash;
struct hash *hash_new(void);
void hash_free(struct hash *hash); /* NULL is fine */
void hash_begin(struct hash *hash); /* before each file */
void hash_add(struct hash *hash, const void *bytes, size_t size);
const char *hash_end(struct hash *hash, char text[MANIFEST_HASH]);

/* ---- writing ---- */
struct manifest;
/* DIR/SHA256SUMS, made anew. */
struct manifest *manifest_create(const char *dir, struct fail *why);
/* path is below DIR. A name with a line feed or a backslash is refused: -1 and why. */
int manifest_add(struct manifest *manifest, const char *path, const char *hash, struct fail *why);
/* The last line, written and synced. */
int manifest_finish(struct manifest *manifest, struct fail *why);
void manifest_free(struct manifest *manifest); /* NULL is fine */

/* ---- reading ---- */
struct manifest_entry {
	char *path;
	char hash[MANIFEST_HASH];
};
struct manifest_list {
	struct manifest_entry *entries; /* by path */
	size_t count;
	char **chunks; /* what the paths stand in */
	size_t chunk_count;
};
/* -1 and why: not there, a line that is none, no last line, another count. Paths that lead
 * out of DIR are refused. */
int manifest_read(const char *dir, struct manifest_list *list, struct fail *why);
void manifest_list_free(struct manifest_list *list);
const struct manifest_entry *manifest_find(const struct manifest_list *list, const char *path);
#endif
