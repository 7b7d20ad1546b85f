/* bundle.h - the texts of all files that make up one configuration.
 *
 * Read once, by the process that checks; handed on as bytes, so that each role parses exactly
 * what was checked. The owner frees it. Contains secrets. */
#ifndef PW_BUNDLE_H
#define PW_BUNDLE_H

#include <stddef.h>
struct conf_errors;
struct fail;

enum bundle_kind {
	BUNDLE_MAIN, BUNDLE_INCLUDE, BUNDLE_TEMPLATE, BUNDLE_SECRETS, BUNDLE_CREDENTIAL,
	BUNDLE_LIST, /* of registers, CSV */
	BUNDLE_NAMES, /* what MIB names stand for (names.h): no file */
	BUNDLE_DEVICES, /* a list of them, CSV */
	BUNDLE_CERTIFICATE, /* PEM, of TLS */
	BUNDLE_KEY /* PEM, a private key */
};

struct bundle_file {
	enum bundle_kind kind;
	char *path; /* as messages show it; of a credential its name */
	char *text;
	size_t size;
};
struct bundle {
	struct bundle_file **files;
	size_t count;
};

/* Appends; text is copied and ended with NUL. */
struct bundle_file *bundle_add(struct bundle *bundle, enum bundle_kind kind, const char *path,
	const char *text, size_t size);

/* Reads a file whole: regular, at most 4 MB, and not for all to write; secrets only for their
 * owner, who is root or we; keys for their group as well. NULL and why else (without the path). */
char *bundle_read(const char *path, enum bundle_kind kind, size_t *size, struct fail *why);

/* To and from a file descriptor that can seek; from its beginning, whatever its offset. */
int bundle_write(const struct bundle *bundle, int fd, struct fail *why);
int bundle_load(struct bundle *bundle, int fd, struct fail *why);
void bundle_free(struct bundle *bundle); /* what is in it; wiped */
#endif
