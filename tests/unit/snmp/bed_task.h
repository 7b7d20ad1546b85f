/* bed_task.h - stands in for core/poller: keeps what a driver tells about one group.
 *
 * Also builds groups from OIDs in text, as the configuration would. */
#ifndef BED_TASK_H
#define BED_TASK_H

#include "core/device.h"
#include "core/driver.h"
#include "snmp/snmp.h"

#define BED_TOLD 8192
#define BED_ROWS 4096

struct told {
	struct reading reading;
	char text[128];
};
struct task {
	const struct device *device;
	const struct group *group;
	struct loop *loop;
	void *state;
	char keys[BED_ROWS][96];
	uint32_t row_count;
	char ended[BED_ROWS][96]; /* in this poll */
	uint32_t ended_count;
	char forgotten[256]; /* in this poll: "ROW/POINT " */
	struct told told[BED_TOLD]; /* in this poll */
	size_t told_count;
	int done;
	uint8_t rest;
	unsigned asked, answered; /* exchanges in this poll */
	char error[256];
	char info[4096]; /* "NAME=TEXT\n", with "KEY: " before that of a row */
};

/* As the poller opens it; the driver's, of the task's device. */
void *bed_task_open(struct task *task, void *state);
/* Forgets the last poll. */
void bed_task_begin(struct task *task);
/* The reading of this poll, or NULL. key NULL: a scalar. */
const struct reading *bed_reading(const struct task *task, const char *key, const char *point);

/* Points as "name=OID[,OID..]" with kind and unit behind: "in_octets=1.3.6..,1.3.. counter B/s".
 * Everything lives until bed_group_free. */
struct group *bed_group(const char *table, int64_t interval, const char *const *points,
	const char *keys, const char *discontinuity);
void bed_group_free(struct group *group);
struct snmp_group *bed_wire(struct group *group);
/* Factors for a point's OIDs; kept by reference. */
void bed_scales(struct group *group, const char *point, const double *scales);
#endif
