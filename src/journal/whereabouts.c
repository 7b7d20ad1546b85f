#include "journal/whereabouts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

static struct whereabouts *page;
static struct whereabouts_suspect *died_at; /* our predecessor; NULL: elsewhere */
static const int faults[] = { SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT };
enum { FAULTS = sizeof faults / sizeof *faults };
static struct sigaction before[FAULTS];
static enum whereabouts_role watched;

void
whereabouts_open(const char *run_dir)
{
	char path[512];
	void *map = MAP_FAILED;
	int fd;

	whereabouts_close();
	snprintf(path, sizeof path, "%s/where", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		return;
	if (ftruncate(fd, sizeof *page) == 0)
		map = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		page = map;
}

void
whereabouts_close(void)
{
	if (page != NULL)
		munmap(page, sizeof *page);
	page = NULL;
	died_at = NULL;
}

void
whereabouts_set(enum whereabouts_role role, enum whereabouts_code code)
{
	if (page != NULL)
		__atomic_store_n(&page->code[role], (uint64_t)code, __ATOMIC_RELAXED);
}

void
whereabouts_committed(int64_t time)
{
	double bound = 100e3;
	unsigned n = 0;

	if (page == NULL)
		return;
	for (; n + 1 < WHEREABOUTS_TIMES && (double)time > bound; n++)
		bound *= 1.2599210498948732; /* the third root of 2 */
	page->committed[__atomic_load_n(&page->code[WHERE_SYNC], __ATOMIC_RELAXED) != WHERE_ELSE][n]++;
}

static bool
is_suspect(const struct whereabouts_suspect *suspect)
{
	return suspect->deaths > 0 &&
		strncmp(suspect->file, page->file, WHEREABOUTS_FILE - 1) == 0;
}

/* Its place, or that of the one with the fewest deaths. */
static struct whereabouts_suspect *
suspect_of(const char *file)
{
	struct whereabouts_suspect *place = page->suspects;

	for (int i = 0; i < WHEREABOUTS_SUSPECTS; i++) {
		if (is_suspect(&page->suspects[i]))
			return &page->suspects[i];
		if (page->suspects[i].deaths < place->deaths)
			place = &page->suspects[i];
	}
	place->deaths = 0;
	str_copy(place->file, WHEREABOUTS_FILE, file);
	return place;
}

void
whereabouts_begin(enum whereabouts_role role)
{
	uint64_t code, fault;

	if (page == NULL)
		return;
	code = page->code[role] & 7;
	fault = page->fault[role];
	page->died[role][code]++;
	page->code[role] = WHERE_ELSE;
	page->fault[role] = 0;
	if (role != WHERE_STORE)
		return;
	page->file[WHEREABOUTS_FILE - 1] = '\0';
	died_at = code == WHERE_RRD_UPDATE && fault != 0 ? suspect_of(page->file) : NULL;
	if (died_at != NULL)
		died_at->deaths++;
}

/* Notes it and gives the signal back to who had it before (the default action, or a
 * sanitizer): what faulted does so once more on return. */
static void
note_fault(int number)
{
	if (page != NULL)
		page->fault[watched] = (uint64_t)number;
	for (int i = 0; i < FAULTS; i++)
		if (faults[i] == number)
			sigaction(number, &before[i], NULL);
	if (number == SIGABRT)
		return; /* abort() raises it again by itself */
	raise(number);
}

void
whereabouts_watch_faults(enum whereabouts_role role)
{
	struct sigaction action = { .sa_handler = note_fault };

	watched = role;
	for (int i = 0; i < FAULTS; i++)
		sigaction(faults[i], &action, &before[i]);
}

const char *
whereabouts_died_at(unsigned *times)
{
	if (page == NULL || died_at == NULL)
		return NULL;
	*times = (unsigned)died_at->deaths;
	return died_at->file;
}

void
whereabouts_enter_file(const char *file)
{
	if (page == NULL)
		return;
	str_copy(page->file, WHEREABOUTS_FILE, file);
	whereabouts_set(WHERE_STORE, WHERE_RRD_UPDATE);
}

void
whereabouts_leave_file(void)
{
	if (page == NULL)
		return;
	for (int i = 0; i < WHEREABOUTS_SUSPECTS; i++)
		if (is_suspect(&page->suspects[i]))
			page->suspects[i].deaths = 0;
	whereabouts_set(WHERE_STORE, WHERE_ELSE);
}
