#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"

/* Is there somebody to become? */
static bool
is_wanted(const char *user)
{
	return geteuid() == 0 && *user != '\0';
}

static const struct passwd *
look_up(const char *user, struct fail *why)
{
	const struct passwd *found = getpwnam(user);

	if (found == NULL)
		fail_set(why, "poller.user \"%s\": no such user (adduser --system --group %s, or set "
			"poller.user to another one)", user, user);
	return found;
}

int
privileges_check(const char *user, struct fail *why)
{
	return !is_wanted(user) || look_up(user, why) != NULL ? 0 : -1;
}

int
privileges_drop(const char *user, struct fail *why)
{
	const struct passwd *found;

	if (!is_wanted(user))
		return 0;
	found = look_up(user, why);
	if (found == NULL)
		return -1;
	if (initgroups(found->pw_name, found->pw_gid) == 0 && setgid(found->pw_gid) == 0 &&
		setuid(found->pw_uid) == 0)
		return 0;
	fail_set(why, "cannot become %s: %s", user, strerror(errno));
	return -1;
}

/* The kernel is asked, in a child: groups, ACLs and mounts have a say as well. */
int
privileges_may_write(const char *user, const char *path, struct fail *why)
{
	struct fail not_dropped;
	struct stat info;
	int status = 0;
	pid_t pid;

	if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode)) {
		fail_set(why, "%s: is no directory", path);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		_exit(privileges_drop(user, &not_dropped) == 0 &&
			access(path, R_OK | W_OK | X_OK) == 0 ? 0 : 1);
	if (pid == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (status == 0)
		return 0;
	if (is_wanted(user))
		fail_set(why, "%s: poller.user \"%s\" may not write there: chown -R %s %s", path,
			user, user, path);
	else
		fail_set(why, "%s: not writable for uid %u, who runs this", path,
			(unsigned)geteuid());
	return -1;
}

int
privileges_give(const char *user, const char *path, struct fail *why)
{
	const struct passwd *found;

	if (!is_wanted(user))
		return 0;
	found = look_up(user, why);
	if (found == NULL)
		return -1;
	if (chown(path, found->pw_uid, found->pw_gid) == 0)
		return 0;
	fail_set(why, "%s: cannot give it to %s: %s", path, user, strerror(errno));
	return -1;
}
