/* plant.h - a small plant for tests of what is fed with closed slots: an inventory out of
 * literals, a catalogue out of an array, and a journal out of a growing list. */
#ifndef PW_PLANT_H
#define PW_PLANT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/sample.h"
#include "core/series.h"
#include "fake/loop_sim.h"
#include "journal/record.h"

static const struct point oper_points[] = {
	{ .name = "oper", .unit = "", .text = "", .kind = POINT_STATE,
		.states = (const struct point_state[]){ { 1, "up" }, { 2, "down" } },
		.state_count = 2 },
};
static const struct group if_groups[] = { { .name = "if-mib", .table = "if",
	.points = oper_points, .point_count = 1 } };

#define PLANT_ABOUT .protocol = "modbus", .place = "werk1/hall3", .owner = "OT", .asset = "", .text = ""
#define PLANT_DEVICE(device_name, step, ...)                                           \
	{ .name = device_name, .address = "10.1.0.1:502/1",                          \
		.about = &(const struct device_about){ PLANT_ABOUT, .interval = (step) }, \
		__VA_ARGS__ }
/* At file scope. */
#define PLANT_CHILD(device_name, step, its_parents)                                    \
	{ .name = device_name, .address = "10.1.0.1:502/1",                          \
		.about = &(const struct device_about){ PLANT_ABOUT, .interval = (step), \
			.parents = its_parents } }

#define PLANT_SERIES 128
static struct series plant_series[PLANT_SERIES];
static uint32_t plant_series_count;

/* Makes the series on first use, id = position + 1. */
static inline const struct series *
plant_point(const char *path, int64_t step)
{
	for (uint32_t i = 0; i < plant_series_count; i++)
		if (strcmp(plant_series[i].path, path) == 0)
			return &plant_series[i];
	plant_series[plant_series_count] = (struct series){ .id = plant_series_count + 1,
		.kind = POINT_GAUGE, .step = step, .path = path, .unit = "", .file = "", .ds = "",
		.profile = "standard" };
	return &plant_series[plant_series_count++];
}

static inline const struct series *
plant_by_id(void *arg, uint32_t id)
{
	(void)arg;
	return id == 0 || id > plant_series_count ? NULL : &plant_series[id - 1];
}

/* A journal in memory; `committed` is how much of it a kill leaves. */
struct plant_journal {
	struct record_buffer bytes;
	uint64_t sequence;
	size_t committed; /* bytes */
	bool refuses;
	struct feed feed;
};

static inline uint64_t
plant_record(struct plant_journal *journal, enum record_kind kind, const void *body,
	size_t size)
{
	size_t frame;

	if (journal->refuses)
		return 0;
	frame = record_begin(&journal->bytes, kind, ++journal->sequence);
	record_put(&journal->bytes, body, size);
	record_end(&journal->bytes, frame);
	return journal->sequence;
}

static inline void
plant_replay(struct plant_journal *journal, int (*take)(void *arg, const struct record *record),
	void *arg)
{
	size_t at = 0, size;
	struct record record;

	while (at < journal->bytes.used && record_parse(journal->bytes.bytes + at,
			journal->bytes.used - at, &record, &size) == 1) {
		take(arg, &record);
		at += size;
	}
}

/* Journals the sample as the writer does, one frame a sample, and tells the feed. */
static inline void
plant_tell(struct plant_journal *journal, const struct sample *sample)
{
	struct record_buffer body = { 0 };
	bool has_value = sample->reason == REASON_GOOD;

	record_put_u64(&body, (uint64_t)sample->slot);
	record_put_u64(&body, (uint64_t)sample->series->step);
	record_put_u64(&body, (uint64_t)sample->received);
	record_put_u32(&body, 1);
	record_put_u32(&body, sample->series->id);
	record_put_u8(&body, sample->reason);
	record_put_u8(&body, has_value ? RECORD_HAS_VALUE : 0);
	record_put_u16(&body, 0);
	record_put_u32(&body, 0);
	if (has_value)
		record_put_f64(&body, sample->value);
	plant_record(journal, KIND_SAMPLES, body.bytes, body.used);
	record_buffer_free(&body);
	feed_sample(&journal->feed, sample);
	feed_flush(&journal->feed);
}

/* One slot of the point closed now: good with this value, or a reason. */
static inline void
plant_good(struct plant_journal *journal, struct loop *loop, const char *path, int64_t step,
	double value)
{
	const struct series *series = plant_point(path, step);
	struct sample sample = { .series = series, .slot = loop_wall(loop) / step,
		.received = loop_wall(loop), .reason = REASON_GOOD, .value = value };

	plant_tell(journal, &sample);
}
static inline void
plant_lost(struct plant_journal *journal, struct loop *loop, const char *path, int64_t step,
	uint8_t reason)
{
	const struct series *series = plant_point(path, step);
	struct sample sample = { .series = series, .slot = loop_wall(loop) / step,
		.received = loop_wall(loop), .reason = reason, .value = NAN };

	plant_tell(journal, &sample);
}
#endif
