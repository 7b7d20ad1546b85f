#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"

bool
privileges_wanted(const char *user)
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
	return !privileges_wanted(user) || look_up(user, why) != NULL ? 0 : -1;
}

int
privileges_drop(const char *user, struct fail *why)
{
	const struct passwd *found;

	if (!privileges_wanted(user))
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

int
privileges_give(const char *user, const char *path, struct fail *why)
{
	const struct passwd *found;

	if (!privileges_wanted(user))
		return 0;
	found = look_up(user, why);
	if (found == NULL)
		return -1;
	if (chown(path, found->pw_uid, found->pw_gid) == 0)
		return 0;
	fail_set(why, "%s: cannot give it to %s: %s", path, user, strerror(errno));
	return -1;
}
