#include "fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "core/sample.h"
#include "journal/writer.h"
#include "store/layout.h"
#include "store/rrd.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

void
fleet_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

/* Two octet counters, four of packets, two of broadcasts, errors and discards. */
static const struct {
	const char *name;
	uint64_t most; /* in a minute */
} counters[FLEET_DS] = {
	{ "in_octets", 800000000 }, { "out_octets", 800000000 }, { "in_ucast", 1000000 },
	{ "out_ucast", 1000000 }, { "in_mcast", 50000 }, { "out_mcast", 50000 },
	{ "in_bcast", 5000 }, { "out_bcast", 5000 }, { "in_errors", 3 }, { "in_discards", 200 },
};

uint32_t
fleet_devices(const struct fleet *fleet)
{
	return (fleet->files + FLEET_DEVICE - 1) / FLEET_DEVICE;
}

void
fleet_file(char *to, size_t size, uint32_t file)
{
	snprintf(to, size, "dev%05u/if/%u.rrd", file / FLEET_DEVICE, file % FLEET_DEVICE);
}

static uint32_t
series_id(uint32_t file, unsigned ds)
{
	return file * FLEET_DS + ds + 1;
}

static void
make_folder(const char *dir, const char *name)
{
	char path[600];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (mkdir(path, 0755) == -1 && errno != EEXIST)
		fleet_die("%s: %s", path, strerror(errno));
}

void
fleet_make_folders(const struct fleet *fleet)
{
	make_folder(fleet->dir, "state");
	make_folder(fleet->dir, "rrd");
	make_folder(fleet->dir, "run");
}

void
fleet_make(struct fleet *fleet)
{
	struct series wanted = { .kind = POINT_COUNTER, .step = fleet->step, .unit = "B/s",
		.profile = fleet->profile };
	char state[600], file[100], path[160];
	struct fail why;

	snprintf(state, sizeof state, "%s/state", fleet->dir);
	fleet->catalogue = series_open(state, true, &why);
	if (fleet->catalogue == NULL)
		fleet_die("%s", why.text);
	wanted.file = file;
	wanted.path = path;
	for (uint32_t i = 0; i < fleet->files; i++) {
		fleet_file(file, sizeof file, i);
		for (unsigned ds = 0; ds < FLEET_DS; ds++) {
			wanted.ds = counters[ds].name;
			snprintf(path, sizeof path, "dev%05u/if[%u]/%s", i / FLEET_DEVICE,
				i % FLEET_DEVICE, wanted.ds);
			if (series_add(fleet->catalogue, &wanted, &why) == NULL)
				fleet_die("%s", why.text);
		}
	}
	if (series_sync(fleet->catalogue, &why) == -1)
		fleet_die("%s", why.text);
}

void
fleet_close(struct fleet *fleet)
{
	series_close(fleet->catalogue);
	fleet->catalogue = NULL;
}

/* ---- RRD files ---- */

static struct layout
tiny_layout(const struct fleet *fleet)
{
	struct layout layout;
	struct fail why;

	if (layout_make(&layout, fleet->step, "tiny", &why) == -1)
		fleet_die("%s", why.text);
	return layout;
}

int64_t
fleet_rrd_bytes(const struct fleet *fleet)
{
	struct layout layout = tiny_layout(fleet);

	return layout_bytes(&layout, FLEET_DS);
}

static void
copy_to(const char *path, const uint8_t *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd == -1 || write(fd, bytes, size) != (ssize_t)size)
		fleet_die("%s: %s", path, strerror(errno));
	close(fd);
}

/* Page by page in the cache, as after a day: what was just written sits there in large pieces. */
static void
leave_cache(const char *root, uint32_t files)
{
	char name[100], path[800];

	for (uint32_t i = 0; i < files; i++) {
		int fd;

		fleet_file(name, sizeof name, i);
		snprintf(path, sizeof path, "%s/%s", root, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
}

void
fleet_make_rrds(const struct fleet *fleet, const char *folder, uint32_t files, int64_t first)
{
	const char *names[FLEET_DS];
	char root[600], name[100], path[800];
	struct rrd_place place = { root, "template.rrd" };
	struct layout layout = tiny_layout(fleet);
	size_t size = (size_t)fleet_rrd_bytes(fleet);
	uint8_t *bytes = mem_zero(size);
	struct fail why;
	int fd;

	make_folder(fleet->dir, folder);
	snprintf(root, sizeof root, "%s/%s", fleet->dir, folder);
	for (unsigned ds = 0; ds < FLEET_DS; ds++)
		names[ds] = counters[ds].name;
	if (rrd_file_create(place, &layout, first * (fleet->step / SECOND), names,
			FLEET_DS, &why) != RRD_DONE)
		fleet_die("%s", why.text);
	snprintf(path, sizeof path, "%s/template.rrd", root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || read(fd, bytes, size) != (ssize_t)size)
		fleet_die("%s: %s", path, strerror(errno));
	unlink(path);
	for (uint32_t i = 0; i < files; i++) {
		snprintf(name, sizeof name, "dev%05u", i / FLEET_DEVICE);
		if (i % FLEET_DEVICE == 0) {
			make_folder(root, name);
			snprintf(path, sizeof path, "%s/if", name);
			make_folder(root, path);
		}
		fleet_file(name, sizeof name, i);
		snprintf(path, sizeof path, "%s/%s", root, name);
		copy_to(path, bytes, size);
	}
	syncfs(fd);
	close(fd);
	leave_cache(root, files);
	free(bytes);
}

void
fleet_read_rrds(const struct fleet *fleet, const char *folder, uint32_t from, uint32_t to)
{
	static uint8_t bytes[1 << 16];
	char name[100], path[800];

	for (uint32_t i = from; i < to; i++) {
		int fd;

		fleet_file(name, sizeof name, i);
		snprintf(path, sizeof path, "%s/%s/%s", fleet->dir, folder, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd == -1)
			fleet_die("%s: %s", path, strerror(errno));
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			SYNC_FILE_RANGE_WAIT_AFTER);
		while (read(fd, bytes, sizeof bytes) > 0)
			;
		close(fd);
	}
}

void
fleet_sync_rrds(const struct fleet *fleet, const char *folder)
{
	char path[800];
	int fd;

	snprintf(path, sizeof path, "%s/%s", fleet->dir, folder);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || syncfs(fd) == -1)
		fleet_die("%s: %s", path, strerror(errno));
	close(fd);
}

/* ---- samples ---- */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 32;
}

int64_t
fleet_phase(const struct fleet *fleet, uint32_t device)
{
	return (int64_t)(mix(device + 1) % (uint64_t)fleet->step);
}

/* Its phase in the slot, and up to 20 ms. */
static int64_t
answer_at(const struct fleet *fleet, uint32_t device, int64_t slot)
{
	return slot * fleet->step + fleet_phase(fleet, device) + (int64_t)(mix(mix(device) + (uint64_t)slot) % (20 * MS));
}

int64_t
fleet_received(const struct fleet *fleet, uint32_t file, int64_t slot)
{
	return answer_at(fleet, file / FLEET_DEVICE, slot);
}

static uint64_t
count_of(uint32_t file, unsigned ds, int64_t slot)
{
	uint64_t draw = mix(mix(series_id(file, ds)) + (uint64_t)slot);

	/* Few are near their highest: half of them below an eighth of it. */
	return draw % ((counters[ds].most >> (draw >> 60 & 7)) + 1);
}

double
fleet_value(const struct fleet *fleet, uint32_t file, unsigned ds, int64_t slot)
{
	uint32_t device = file / FLEET_DEVICE;
	double seconds = (double)(answer_at(fleet, device, slot) -
		answer_at(fleet, device, slot - 1)) / 1e9;

	return (double)count_of(file, ds, slot) / seconds;
}

void
fleet_poll(const struct fleet *fleet, struct writer *writer, uint32_t device, int64_t slot)
{
	uint32_t file = device * FLEET_DEVICE, end = file + FLEET_DEVICE;
	struct sample sample = { .slot = slot, .has_raw = true };

	sample.received = answer_at(fleet, device, slot);
	for (; file < end && file < fleet->files; file++)
		for (unsigned ds = 0; ds < FLEET_DS; ds++) {
			sample.series = series_get(fleet->catalogue, series_id(file, ds));
			sample.value = fleet_value(fleet, file, ds, slot);
			sample.raw = (uint64_t)slot * 1000 + count_of(file, ds, slot);
			if (writer_sample(writer, &sample) == 0)
				fleet_die("the journal's memory is used up: the disk is too slow");
		}
	writer_flush(writer);
}

/* ---- what a process has used ---- */

static char *
read_proc(int pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	if (pid == 0)
		pid = (int)getpid();
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd == -1 ? -1 : read(fd, text, size - 1);
	if (fd != -1)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

double
fleet_cpu(int pid)
{
	unsigned long long user = 0, system = 0;
	char text[1000];
	const char *at = strrchr(read_proc(pid, "stat", text, sizeof text), ')');

	if (at != NULL)
		sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int64_t
line_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at == NULL ? 0 : strtoll(at + strlen(key) + 1, NULL, 10);
}

int64_t
fleet_rss(int pid)
{
	char text[4000];

	return line_of(read_proc(pid, "status", text, sizeof text), "VmRSS") * 1024;
}

int64_t
fleet_io(int pid, const char *key)
{
	char text[1000];

	return line_of(read_proc(pid, "io", text, sizeof text), key);
}

int64_t
fleet_free(const char *dir)
{
	struct statvfs system;

	return statvfs(dir, &system) == -1 ? 0 : (int64_t)(system.f_bavail * system.f_frsize);
}
