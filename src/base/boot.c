#include "base/boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *
boot_id(char *to, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd == -1 ? 0 : read(fd, to, size - 1);

	if (fd != -1)
		close(fd);
	to[length > 0 ? length : 0] = '\0';
	to[strcspn(to, " \n")] = '\0';
	return to;
}
