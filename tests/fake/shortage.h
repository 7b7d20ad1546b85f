/* shortage.h - a machine that is short of room on its disk, or of file descriptors, or whose disk
 * has places that cannot be read.
 *
 * Link shortage.c before libpollwerk.a: its open() and pread() stand before the C library's, for
 * other libraries as well. */
#ifndef PW_SHORTAGE_H
#define PW_SHORTAGE_H

#include <stdint.h>

#define SHORTAGE_NONE INT64_C(-1)

/* No file becomes larger than that: what does not fit is not written. */
void shortage_octets(int64_t most);
/* So many descriptors there are; SHORTAGE_NONE: as many as at first. */
void shortage_descriptors(int64_t most);
/* One open of so many fails as if all descriptors were in use, which ones is the seed's to say; 0: none
 * does. As when others take and give back the last ones. */
void shortage_opens(unsigned one_of);
void shortage_seed(unsigned seed);
/* pread() of that file fails with EIO; NULL: of none. */
void shortage_reads(const char *path);
#endif
