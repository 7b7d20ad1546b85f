/* wire.c - sends octets and shows what comes back, octet for octet.
 *
 * wire udp|tcp ADDRESS:PORT HEX MS [FIRST] prints what arrives within MS milliseconds; with
 * FIRST, for which it waits that long, what comes until MS after the last of it:
 *   udp: MILLISECONDS ADDRESS:PORT HEX   for each datagram
 *   tcp: MILLISECONDS HEX                for each piece, then MILLISECONDS fin|rst|open
 * No library that could forgive a mistake sits between the test and the wire. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint8_t octets[65536];

static size_t
unhex(const char *text)
{
	size_t n = 0;

	for (; sscanf(text, "%2hhx", &octets[n]) == 1 && text[1] != '\0'; text += 2)
		n++;
	return n;
}

static long
elapsed(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static void
show(long ms, const struct sockaddr_in *from, ssize_t n)
{
	char text[INET_ADDRSTRLEN];

	printf("%ld ", ms);
	if (from != NULL)
		printf("%s:%u ", inet_ntop(AF_INET, &from->sin_addr, text, sizeof text),
			ntohs(from->sin_port));
	for (ssize_t i = 0; i < n; i++)
		printf("%02x", octets[i]);
	putchar('\n');
}

static int
listen_to(int fd, int datagrams, const struct timespec *start, long patience, long first)
{
	long end = elapsed(start) + (first > 0 ? first : patience);

	for (;;) {
		struct pollfd ready = { fd, POLLIN, 0 };
		struct sockaddr_in from = { 0 };
		socklen_t size = sizeof from;
		long left = end - elapsed(start);
		ssize_t n;

		if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
			break;
		n = recvfrom(fd, octets, sizeof octets, 0, (struct sockaddr *)&from, &size);
		if (n > 0 || (n == 0 && datagrams)) {
			show(elapsed(start), datagrams ? &from : NULL, n);
			if (first > 0)
				end = elapsed(start) + patience;
			continue;
		}
		printf("%ld %s\n", elapsed(start), n == 0 ? "fin" : errno == ECONNRESET ? "rst" :
			strerror(errno));
		return 0;
	}
	if (!datagrams)
		printf("%ld open\n", elapsed(start));
	return 0;
}

int
main(int argc, char **argv)
{
	char *colon = argc == 5 || argc == 6 ? strrchr(argv[2], ':') : NULL;
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timespec start;
	int datagrams, fd;
	size_t n;

	if (colon == NULL) {
		fprintf(stderr, "usage: wire udp|tcp ADDRESS:PORT HEX MILLISECONDS [FIRST]\n");
		return 2;
	}
	*colon = '\0';
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	inet_pton(AF_INET, argv[2], &to.sin_addr);
	datagrams = strcmp(argv[1], "udp") == 0;
	fd = socket(AF_INET, datagrams ? SOCK_DGRAM : SOCK_STREAM, 0);
	n = unhex(argv[3]);
	/* Before it leaves: what comes back was delayed by so much at least. */
	clock_gettime(CLOCK_MONOTONIC, &start);
	/* UDP stays unconnected, so that answers from elsewhere are seen as well. */
	if ((!datagrams && connect(fd, (struct sockaddr *)&to, sizeof to) == -1) ||
		(n > 0 && sendto(fd, octets, n, MSG_NOSIGNAL, datagrams ? (struct sockaddr *)&to :
			NULL, datagrams ? sizeof to : 0) == -1)) {
		printf("0 %s\n", errno == ECONNRESET || errno == EPIPE ? "rst" : strerror(errno));
		return 1;
	}
	return listen_to(fd, datagrams, &start, atol(argv[4]), argc == 6 ? atol(argv[5]) : 0);
}
