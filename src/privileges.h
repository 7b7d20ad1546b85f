/* privileges.h - who a role becomes when the daemon was started as root. */
#ifndef PW_PRIVILEGES_H
#define PW_PRIVILEGES_H

#include <stdbool.h>
struct fail;

/* True when there is somebody to become: started as root and user is not "". */
bool privileges_wanted(const char *user);
/* -1 and why when there is no such user. */
int privileges_check(const char *user, struct fail *why);
/* Becomes user, with that user's groups. Nothing to do is fine. */
int privileges_drop(const char *user, struct fail *why);
/* Can what user becomes work in that folder? -1 and why, with the way out. */
int privileges_may_write(const char *user, const char *path, struct fail *why);
/* Gives a file or folder to user; nothing to do is fine. */
int privileges_give(const char *user, const char *path, struct fail *why);
#endif
