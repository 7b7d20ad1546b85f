#include "base/file.h"

#include <errno.h>
#include <unistd.h>

bool
file_is_unknown(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

int
file_write(int fd, const void *bytes, size_t size, uint64_t at)
{
	const char *from = bytes;

	while (size > 0) {
		ssize_t wrote = pwrite(fd, from, size, (off_t)at);

		if (wrote == -1 && errno == EINTR)
			continue;
		if (wrote == 0)
			errno = ENOSPC;
		if (wrote <= 0)
			return -1;
		from += wrote;
		at += (uint64_t)wrote;
		size -= (size_t)wrote;
	}
	return 0;
}
