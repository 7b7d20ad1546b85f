#include "scenario/truth.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

void
truth_init(struct truth *truth, const char *device, int64_t step, size_t series,
	int64_t from_wall, int64_t to_wall)
{
	*truth = (struct truth){ .step = step, .series = series, .base = from_wall / step - 2 };
	/* The promise of src/README: a stable hash of the device's name, on whole ticks. */
	truth->phase = (int64_t)(str_hash(device, strlen(device)) %
		(uint64_t)(step / LOOP_TICK)) * LOOP_TICK;
	truth->slots = (size_t)((to_wall - from_wall) / step) + 4;
	truth->cells = mem_array(truth->slots * series, sizeof *truth->cells);
	memset(truth->cells, TRUTH_OPEN, truth->slots * series * sizeof *truth->cells);
}

void
truth_free(struct truth *truth)
{
	free(truth->cells);
	truth->cells = NULL;
}

int64_t
truth_due(const struct truth *truth, int64_t slot)
{
	return slot * truth->step + truth->phase;
}

int64_t
truth_slot_at(const struct truth *truth, int64_t wall)
{
	return (wall - truth->phase) / truth->step;
}

struct truth_cell *
truth_cell(const struct truth *truth, size_t series, int64_t slot)
{
	int64_t column = slot - truth->base;

	if (column < 0 || column >= (int64_t)truth->slots)
		return NULL;
	return &truth->cells[series * truth->slots + (size_t)column];
}

bool
truth_say(struct truth *truth, size_t series, int64_t slot, uint8_t reason, uint8_t other)
{
	struct truth_cell *cell = truth_cell(truth, series, slot);

	if (cell == NULL || cell->reason != TRUTH_OPEN)
		return false;
	cell->reason = reason;
	cell->other = other == reason ? TRUTH_OPEN : other;
	return true;
}

void
truth_or(struct truth *truth, size_t series, int64_t slot, uint8_t other)
{
	struct truth_cell *cell = truth_cell(truth, series, slot);

	if (cell != NULL && cell->reason != TRUTH_OPEN && cell->other != TRUTH_ANY &&
		cell->reason != other)
		cell->other = other;
}

bool
truth_allows(const struct truth_cell *cell, uint8_t reason)
{
	return cell->reason == reason || cell->other == reason ||
		(cell->reason != TRUTH_OPEN && cell->other == TRUTH_ANY);
}
