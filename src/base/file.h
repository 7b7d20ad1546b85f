/* file.h - writes to files, whole ones. */
#ifndef PW_FILE_H
#define PW_FILE_H

#include <stddef.h>
#include <stdint.h>

/* All of it at that place, in as many calls as the system makes of it. 0, or -1 and errno: ENOSPC
 * where the disk takes no more and says nothing else. How much stands there then is not known. */
int file_write(int fd, const void *bytes, size_t size, uint64_t at);
#endif
