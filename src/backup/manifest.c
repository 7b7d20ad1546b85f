#include "backup/manifest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

#define END_OF "# end of "
#define LINE_ROOM 5000

/* ---- one checksum ---- */

struct hash {
	EVP_MD_CTX *context;
};

struct hash *
hash_new(void)
{
	struct hash *hash = mem_zero(sizeof *hash);

	hash->context = EVP_MD_CTX_new();
	if (hash->context == NULL)
		abort();
	return hash;
}

void
hash_free(struct hash *hash)
{
	if (hash == NULL)
		return;
	EVP_MD_CTX_free(hash->context);
	free(hash);
}

/* These fail only without memory, or when libcrypto was built without SHA-256. */
void
hash_begin(struct hash *hash)
{
	if (EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1)
		abort();
}

void
hash_add(struct hash *hash, const void *bytes, size_t size)
{
	if (EVP_DigestUpdate(hash->context, bytes, size) != 1)
		abort();
}

const char *
hash_end(struct hash *hash, char text[MANIFEST_HASH])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (EVP_DigestFinal_ex(hash->context, bytes, &size) != 1 || size * 2 + 1 != MANIFEST_HASH)
		abort();
	for (unsigned i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * size] = '\0';
	return text;
}

/* ---- writing ---- */

struct manifest {
	char *path;
	FILE *file;
	size_t count;
};

static int
fail_errno(const struct manifest *manifest, struct fail *why)
{
	fail_set(why, "%s: %s", manifest->path, strerror(errno));
	return -1;
}

struct manifest *
manifest_create(const char *dir, struct fail *why)
{
	struct manifest *manifest = mem_zero(sizeof *manifest);

	manifest->path = mem_format("%s/" MANIFEST_FILE, dir);
	manifest->file = fopen(manifest->path, "we");
	if (manifest->file != NULL)
		return manifest;
	fail_errno(manifest, why);
	manifest_free(manifest);
	return NULL;
}

int
manifest_add(struct manifest *manifest, const char *path, const char *hash, struct fail *why)
{
	if (strpbrk(path, "\\\n\r") != NULL || strlen(path) > LINE_ROOM - 100) {
		fail_set(why, "%s: a file of such a name cannot be backed up", path);
		return -1;
	}
	manifest->count++;
	return fprintf(manifest->file, "%s  %s\n", hash, path) < 0 ? fail_errno(manifest, why) : 0;
}

int
manifest_finish(struct manifest *manifest, struct fail *why)
{
	if (fprintf(manifest->file, END_OF "%zu files\n", manifest->count) < 0 ||
		fflush(manifest->file) != 0 || fsync(fileno(manifest->file)) == -1)
		return fail_errno(manifest, why);
	return 0;
}

void
manifest_free(struct manifest *manifest)
{
	if (manifest == NULL)
		return;
	if (manifest->file != NULL)
		fclose(manifest->file);
	free(manifest->path);
	free(manifest);
}

/* ---- reading ---- */

#define CHUNK (1u << 20)

struct reading {
	struct manifest_list *list;
	size_t room, used; /* used of the newest chunk */
};

static char *
keep_text(struct reading *reading, const char *text)
{
	struct manifest_list *list = reading->list;
	size_t size = strlen(text) + 1;
	char *kept;

	if (list->chunk_count == 0 || reading->used + size > CHUNK) {
		list->chunks = mem_grow(list->chunks, list->chunk_count + 1, sizeof *list->chunks);
		list->chunks[list->chunk_count++] = mem_zero(CHUNK);
		reading->used = 0;
	}
	kept = list->chunks[list->chunk_count - 1] + reading->used;
	memcpy(kept, text, size);
	reading->used += size;
	return kept;
}

/* A list from elsewhere shall not make restore write elsewhere. */
static bool
stays_below(const char *path)
{
	if (*path == '\0' || *path == '/')
		return false;
	for (const char *part = path; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (strcmp(part, "..") == 0 || strncmp(part, "../", 3) == 0)
			return false;
	}
	return true;
}

static bool
take_line(struct reading *reading, const char *line)
{
	struct manifest_list *list = reading->list;
	struct manifest_entry *entry;

	if (strspn(line, "0123456789abcdef") != MANIFEST_HASH - 1 ||
		strncmp(line + MANIFEST_HASH - 1, "  ", 2) != 0 ||
		!stays_below(line + MANIFEST_HASH + 1))
		return false;
	if (list->count == reading->room) {
		reading->room = reading->room > 0 ? 2 * reading->room : 256;
		list->entries = mem_grow(list->entries, reading->room, sizeof *list->entries);
	}
	entry = &list->entries[list->count++];
	memcpy(entry->hash, line, MANIFEST_HASH - 1);
	entry->hash[MANIFEST_HASH - 1] = '\0';
	entry->path = keep_text(reading, line + MANIFEST_HASH + 1);
	return true;
}

static int
by_path(const void *a, const void *b)
{
	const struct manifest_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int
read_lines(FILE *file, const char *path, struct reading *reading, struct fail *why)
{
	unsigned long long promised = 0;
	bool ended = false;
	char line[LINE_ROOM];
	size_t number = 0;

	while (fgets(line, sizeof line, file) != NULL) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (!ended && sscanf(line, END_OF "%llu files", &promised) == 1) {
			ended = true;
		} else if (ended || !take_line(reading, line)) {
			fail_set(why, "%s:%zu: no line of a list of checksums", path, number);
			return -1;
		}
	}
	if (ended && promised == reading->list->count && !ferror(file))
		return 0;
	fail_set(why, "%s: cut off: %zu files, and no line that says it is the end", path,
		reading->list->count);
	return -1;
}

int
manifest_read(const char *dir, struct manifest_list *list, struct fail *why)
{
	char *path = mem_format("%s/" MANIFEST_FILE, dir);
	FILE *file = fopen(path, "re");
	struct reading reading = { .list = list };
	int result = -1;

	*list = (struct manifest_list){ 0 };
	if (file == NULL)
		fail_set(why, "%s: %s", path, strerror(errno));
	else
		result = read_lines(file, path, &reading, why);
	if (file != NULL)
		fclose(file);
	free(path);
	if (result == -1)
		manifest_list_free(list);
	else if (list->count > 0)
		qsort(list->entries, list->count, sizeof *list->entries, by_path);
	return result;
}

void
manifest_list_free(struct manifest_list *list)
{
	for (size_t i = 0; i < list->chunk_count; i++)
		free(list->chunks[i]);
	free(list->chunks);
	free(list->entries);
	*list = (struct manifest_list){ 0 };
}

const struct manifest_entry *
manifest_find(const struct manifest_list *list, const char *path)
{
	struct manifest_entry wanted = { .path = (char *)path };

	if (list->count == 0)
		return NULL;
	return bsearch(&wanted, list->entries, list->count, sizeof wanted, by_path);
}
