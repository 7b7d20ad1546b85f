#include "base/mem.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

static void *
checked(void *memory, size_t size)
{
	if (memory != NULL)
		return memory;
	log_error("out of memory (%zu bytes)", size);
	abort();
}

void *
mem_zero(size_t size)
{
	return checked(calloc(1, size > 0 ? size : 1), size);
}

void *
mem_array(size_t count, size_t size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1), count);
}

void *
mem_grow(void *old, size_t count, size_t size)
{
	return checked(reallocarray(old, count > 0 ? count : 1, size), count);
}

char *
mem_text(const char *text)
{
	return text == NULL ? NULL : checked(strdup(text), 0);
}

void *
mem_copy(const void *from, size_t size)
{
	return memcpy(mem_zero(size), from, size);
}

#define LARGE (256 * 1024)

void
mem_settle(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE);
}

void
mem_trim(void)
{
	malloc_trim(0);
}

long
mem_idle(void)
{
	struct mallinfo2 info = mallinfo2();
	char text[128];
	long pages, shared;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd == -1)
		return 0;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	if (sscanf(text, "%*s %ld %ld", &pages, &shared) != 2)
		return 0;
	return (pages - shared) * sysconf(_SC_PAGESIZE) - (long)info.uordblks;
}

static void
give_back(struct mem_holes *holes)
{
	mem_trim();
	*holes = (struct mem_holes){ true, mem_idle() };
}

void
mem_look(struct mem_holes *holes, long worth)
{
	long idle = mem_idle();

	if (!holes->known || idle > holes->least + worth)
		give_back(holes);
	else if (idle < holes->least)
		holes->least = idle;
}

char *
mem_format(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	return checked(length < 0 ? NULL : text, 0);
}

void
mem_limit(size_t bytes)
{
#ifndef __SANITIZE_ADDRESS__
	struct rlimit limit = { bytes, bytes };

	setrlimit(RLIMIT_AS, &limit);
#else
	(void)bytes;
#endif
}
