/* boot.h - which run of the machine this is: monotonic times of two processes may be compared
 * only when both have the same id. */
#ifndef PW_BOOT_H
#define PW_BOOT_H

#define BOOT_ID 40
/* At most BOOT_ID - 1 characters without blanks; "" where the system does not tell. Asked once. */
const char *boot_id(void);
#endif
