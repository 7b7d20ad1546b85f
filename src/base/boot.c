#include "base/boot.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static char id[BOOT_ID];

static void
read_id(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (read(fd, id, sizeof id - 1) > 0)
		id[strcspn(id, " \n")] = '\0';
	close(fd);
}

const char *
boot_id(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_id);
	return id;
}
