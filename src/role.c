#include "role.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fail.h"

struct head {
	uint8_t kind, zero[3];
	uint32_t length;
};

int
role_send(int fd, enum role_message kind, const char *text, int fd_passed, struct fail *why)
{
	struct head head = { .kind = (uint8_t)kind, .length = (uint32_t)strnlen(text, ROLE_TEXT) };
	struct iovec parts[2] = { { &head, sizeof head }, { (void *)text, head.length } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (fd_passed != -1) {
		struct cmsghdr *c;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd_passed, sizeof(int));
	}
	if (sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)(sizeof head + head.length))
		return 0;
	fail_set(why, "message between roles: %s", strerror(errno));
	return -1;
}

static int
read_whole(int fd, void *to, size_t size)
{
	uint8_t *bytes = to;

	while (size > 0) {
		ssize_t count = recv(fd, bytes, size, MSG_WAITALL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return -1;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}

int
role_receive(int fd, enum role_message *kind, char *text, size_t size, int *fd_passed,
	struct fail *why)
{
	struct head head;
	struct iovec part = { &head, sizeof head };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	ssize_t count;

	*fd_passed = -1;
	do
		count = recvmsg(fd, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC);
	while (count < 0 && errno == EINTR);
	if (count == 0 || (count < 0 && errno == ECONNRESET))
		return 0;
	if (count != (ssize_t)sizeof head || head.length >= size) {
		fail_set(why, "message between roles: %s", count < 0 ? strerror(errno) : "cut off");
		return -1;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fd_passed, CMSG_DATA(c), sizeof(int));
	if (read_whole(fd, text, head.length) == -1)
		return 0;
	text[head.length] = '\0';
	*kind = (enum role_message)head.kind;
	return 1;
}
