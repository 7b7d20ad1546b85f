/* file.h - writes to files, and what it says when one cannot be opened. */
#ifndef PW_FILE_H
#define PW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of it at that place, in as many calls as the system makes of it. 0, or -1 and errno: ENOSPC
 * where the disk takes no more and says nothing else. How much stands there then is not known. */
int file_write(int fd, const void *bytes, size_t size, uint64_t at);
/* With this errno a file was not opened because descriptors or memory are short: that says nothing
 * of the file, not even whether there is one. */
bool file_is_unknown(int error);
#endif
