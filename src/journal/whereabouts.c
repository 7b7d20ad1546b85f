#include "journal/whereabouts.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

static struct whereabouts *page;
static bool died_in_update; /* our predecessor */

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
}

void
whereabouts_set(enum whereabouts_role role, enum whereabouts_code code)
{
	if (page != NULL)
		__atomic_store_n(&page->code[role], (uint64_t)code, __ATOMIC_RELAXED);
}

void
whereabouts_begin(enum whereabouts_role role)
{
	uint64_t code;

	if (page == NULL)
		return;
	code = page->code[role] & 7;
	page->died[role][code]++;
	page->code[role] = WHERE_ELSE;
	if (role != WHERE_STORE)
		return;
	died_in_update = code == WHERE_RRD_UPDATE;
	page->deaths = died_in_update ? page->deaths + 1 : 0;
}

const char *
whereabouts_died_at(unsigned *times)
{
	if (page == NULL || !died_in_update)
		return NULL;
	page->file[WHEREABOUTS_FILE - 1] = '\0';
	*times = page->deaths;
	return page->file;
}

void
whereabouts_enter_file(const char *file)
{
	if (page == NULL)
		return;
	if (strncmp(page->file, file, WHEREABOUTS_FILE - 1) != 0) {
		page->deaths = 0;
		str_copy(page->file, WHEREABOUTS_FILE, file);
	}
	whereabouts_set(WHERE_STORE, WHERE_RRD_UPDATE);
}

void
whereabouts_leave_file(void)
{
	if (page == NULL)
		return;
	page->deaths = 0;
	whereabouts_set(WHERE_STORE, WHERE_ELSE);
}
