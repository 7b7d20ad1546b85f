/* privileges.h - who a role becomes when the daemon was started as root; nobody else when user is ""
 * or it was not. */
#ifndef PW_PRIVILEGES_H
#define PW_PRIVILEGES_H

struct fail;

/* -1 and why when there is no such user. */
int privileges_check(const char *user, struct fail *why);
/* Becomes user, with that user's groups. Nothing to do is fine. */
int privileges_drop(const char *user, struct fail *why);
/* Can what user becomes work in that folder? -1 and why, with the way out. */
int privileges_may_write(const char *user, const char *path, struct fail *why);
/* Gives a file or folder to user; nothing to do is fine. */
int privileges_give(const char *user, const char *path, struct fail *why);
#endif
