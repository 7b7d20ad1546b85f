/* simctl.c - sends control lines to a simulator and shows what it answers.
 *
 * simctl SOCKET LINE...   each argument is one line; ends with 1 at the first that the
 * simulator refuses and with 2 when nobody answers within two seconds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int
say(int fd, const char *line)
{
	char answer[2048];
	ssize_t n;

	if (send(fd, line, strlen(line), 0) == -1 ||
		(n = recv(fd, answer, sizeof answer - 1, 0)) == -1) {
		fprintf(stderr, "%s: no answer: %s\n", line, strerror(errno));
		return 2;
	}
	answer[n] = '\0';
	if (strncmp(answer, "ok", 2) == 0) {
		if (answer[2] == ' ')
			puts(answer + 3);
		return 0;
	}
	fprintf(stderr, "%s: %s\n", line, answer);
	return 1;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	sa_family_t family = AF_UNIX;
	struct timeval patience = { 2, 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int status = 0;

	if (argc < 3 || strlen(argv[1]) >= sizeof at.sun_path) {
		fprintf(stderr, "usage: simctl SOCKET LINE...\n");
		return 2;
	}
	strcpy(at.sun_path, argv[1]);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	/* A bare family asks the kernel for a name of its own, so the answer finds us. */
	bind(fd, (struct sockaddr *)&family, sizeof family);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == -1) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	for (int i = 2; i < argc && status == 0; i++)
		status = say(fd, argv[i]);
	close(fd);
	return status;
}
