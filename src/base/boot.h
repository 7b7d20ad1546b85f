/* boot.h - which run of the machine this is: monotonic times of two processes may be compared
 * only when both have the same id. */
#ifndef PW_BOOT_H
#define PW_BOOT_H

#include <stddef.h>

#define BOOT_ID 40
/* At most size - 1 characters without blanks; "" where the system does not tell. */
const char *boot_id(char *to, size_t size);
#endif
