/* folder.h - the numbered files of a folder: segments of the journal, logs and archives of the
 * ledger. */
#ifndef PW_FOLDER_H
#define PW_FOLDER_H

#include <stddef.h>
#include <stdint.h>

/* Numbers N, from 1, of the files called PREFIX, N as 16 hexadecimal digits (lower case),
 * SUFFIX; in order, malloc'ed. 0 and NULL when there are none or no such folder, with errno 0; or when
 * it cannot be read, with errno. */
size_t folder_numbers(const char *path, const char *prefix, const char *suffix,
	uint64_t **numbers);
#endif
