/* record.h - what stands in a journal segment, byte by byte. The format is documented here
 * and only here. All numbers little-endian.
 *
 * A segment is STATE_DIR/journal/%016llx.seg, the number growing by one. It begins with
 *   8 bytes "PWJRNL01", u64 segment number, i64 wall ns of its making, u32 crc32c of those
 * and then holds frames:
 *   u32 size of the body, u32 crc32c over kind..body, u8 kind, u8 version (1), u16 zero,
 *   u64 sequence (grows by one over all segments), body.
 * Head, sequence and checksum stay what they are; a kind or version that the reader does not know
 * is left out and said. A frame whose checksum is wrong, or that ends behind the file's end, ends
 * the segment: it was never committed. Every segment opens with a snapshot (KIND_SNAPSHOT_BEGIN,
 * facts of each room, KIND_SNAPSHOT_END), so older segments are needed only for what the store
 * has not yet written. Only a segment that was begun because the disk refused the former one
 * goes on without a snapshot of its own.
 *
 * Zeros stand ready where frames will be (reserve.h): they follow behind the last frame of a
 * segment in use, and the next segment may be there with a head and zeros only. A frame of
 * zeros ends the segment (to a reader that does not know this it is a damaged one, and
 * ends it as well). A segment whose first 20 bytes behind the head are zeros is not begun: it is
 * no segment yet when none behind it is begun, and an empty one otherwise. What is not used is cut
 * off when the segment is left. No file becomes a segment twice, and no number is used again.
 * While the disk refuses segments, KIND_ALARM and KIND_NOTIFIED frames stand in files of their
 * own as well (aside.h).
 *
 * KIND_ROWS: i64 slot, i64 step ns, i64 received wall ns, u32 count of samples; then, until
 *   those are all, rows of neighbours:
 *   u32 id of the first series, u8 reason, u8 flags (1: values follow, 2: raws follow), u16 n
 *   (1 or more), i32 received offset in us from the frame's; then n times, for that series
 *   and those whose ids follow, [f64 value], [u64 raw]
 * KIND_SAMPLES: the same where each n is one, and stands there as zero; read and no longer
 *   written. Versions that do not know KIND_ROWS leave those records out: before one of them
 *   takes over a journal, the store has to have read all of it
 * KIND_RUN: u32 series id, u8 reason, 3 zero, i64 first slot, i64 last slot, i64 decided wall ns
 * KIND_ALARM, KIND_NOTIFIED: the body is the alarm and notify rooms' own
 * KIND_NEXT_SLOTS: count times u32 series id, u32 zero, i64 next slot to close. In a snapshot
 *   all active series; elsewhere series that have ended, with 0 for the slot
 * KIND_NUMBERS: u32 next notice, u32 next alarm id: none below these is given any more
 * KIND_SNAPSHOT_BEGIN, KIND_SNAPSHOT_END: no body
 * KIND_START: u32 length, poller name; KIND_STOP: no body (orderly end) */
#ifndef PW_RECORD_H
#define PW_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
	KIND_SAMPLES = 1,
	KIND_RUN = 2,
	KIND_ALARM = 3,
	KIND_NOTIFIED = 4,
	KIND_NEXT_SLOTS = 5,
	KIND_SNAPSHOT_BEGIN = 6,
	KIND_SNAPSHOT_END = 7,
	KIND_START = 8,
	KIND_STOP = 9,
	KIND_ALARM_STATE = 10,  /* in a snapshot: alarm's open alarms, timers, counters */
	KIND_NOTIFY_STATE = 11, /* in a snapshot: notify's cursors and unsent notices */
	KIND_PATH_STATE = 12,   /* in a snapshot: path accounts */
	KIND_ROWS = 13,
	KIND_NUMBERS = 20,      /* after a restore, see numbers.h */
	KIND_FOREIGN = 255,     /* never written: of another frame version */
};

#define RECORD_SEGMENT_HEADER 28
#define RECORD_FRAME_HEADER 20
#define RECORD_BODY_MAX (64u << 20)
#define RECORD_HAS_VALUE 1 /* flags of a sample */
#define RECORD_HAS_RAW 2

/* A growing buffer in which frames are built. */
struct record_buffer {
	uint8_t *bytes;
	size_t used, room;
};
void record_buffer_free(struct record_buffer *buffer);

/* Begins a frame and returns its offset; put the body, then end it. */
size_t record_begin(struct record_buffer *buffer, enum record_kind kind, uint64_t sequence);
void record_end(struct record_buffer *buffer, size_t frame);
void record_put(struct record_buffer *buffer, const void *bytes, size_t size);
/* So much is put next: it takes no other memory meanwhile than it has afterwards. */
void record_expect(struct record_buffer *buffer, size_t size);
/* Room for so many octets at the end, for the caller to fill. */
uint8_t *record_extend(struct record_buffer *buffer, size_t size);
void record_put_u8(struct record_buffer *buffer, uint8_t value);
void record_put_u16(struct record_buffer *buffer, uint16_t value);
void record_put_u32(struct record_buffer *buffer, uint32_t value);
void record_put_u64(struct record_buffer *buffer, uint64_t value);
void record_put_f64(struct record_buffer *buffer, double value);
void record_put_text(struct record_buffer *buffer, const char *text); /* u32 length, bytes */

/* A cursor over a body; a read behind the end sets failed and gives 0. */
struct record_cursor {
	const uint8_t *at, *end;
	bool failed;
};
uint8_t record_get_u8(struct record_cursor *cursor);
uint16_t record_get_u16(struct record_cursor *cursor);
uint32_t record_get_u32(struct record_cursor *cursor);
uint64_t record_get_u64(struct record_cursor *cursor);
/* Copies at most size - 1 bytes and ends in NUL. */
void record_get_text(struct record_cursor *cursor, char *to, size_t size);

struct record {
	enum record_kind kind;
	uint64_t sequence;
	const uint8_t *body;
	size_t size;
};
/* False for what a newer version wrote, which nobody here can read. */
bool record_is_known(const struct record *record);
/* Takes the frame at bytes. 1 and *frame_size: a whole, valid frame. 0: not all there yet.
 * -1: damaged (checksum, size, kind 0). */
int record_parse(const uint8_t *bytes, size_t size, struct record *record, size_t *frame_size);

/* Walks the body of KIND_ROWS or KIND_SAMPLES. */
struct record_sample {
	uint32_t series;
	uint8_t reason;
	bool has_value, has_raw;
	int64_t slot, step, received;
	double value; /* NaN when there is none */
	uint64_t raw;
};
struct record_samples {
	struct record_cursor cursor;
	int64_t slot, step, received;
	uint32_t left;
	bool rows;
	struct {
		uint32_t series, left; /* the next one, how many */
		uint8_t reason, flags;
		int64_t received;
	} row;
};
static inline bool
record_has_samples(const struct record *record)
{
	return record->kind == KIND_ROWS || record->kind == KIND_SAMPLES;
}
int record_samples_open(const struct record *record, struct record_samples *walk); /* -1 damaged */
bool record_samples_next(struct record_samples *walk, struct record_sample *sample);
/* The next ones, at most so many; 0 at the end. */
size_t record_samples_take(struct record_samples *walk, struct record_sample *samples, size_t most);

struct record_run {
	uint32_t series;
	uint8_t reason;
	int64_t first, last, decided;
};
int record_run_read(const struct record *record, struct record_run *run);
#endif
