/* archive.h - a closed part of the ledger on disk: spans by series, to be read by series.
 *
 * STATE_DIR/ledger/spans-%016llx, the number being that of its first span in the ledger's
 * count of closed runs. A file never changes: a new version replaces it as a whole (file
 * synced, rename, folder synced), so whoever finds it finds it complete. Little-endian:
 *   head, 80 bytes: "PWLEDG02", u64 first number, u64 end number (behind the last), i64 begin
 *     and i64 end in wall ns of what its spans cover, i64 wall ns from when on something in it
 *     is too old for its series' `retain` (INT64_MAX: never), u32 blocks, u32 flags (1: folded
 *     to hours; 2: some run is store-full, and so may amend an earlier archive), u64 offset of the index, u32 crc32c of the index, u32 mark of the
 *     retentions by which it was made, u32 zero, u32 crc32c over the 76 bytes before.
 *   blocks of about 4 KiB, then the index, 24 bytes a block: u32 first and u32 last series,
 *     u64 offset, u32 size, u32 crc32c of the block.
 *   A block is groups: varint series, varint spans, then each span:
 *     u8 reason
 *     varint 2 x zigzag(first slot - slot behind the group's last run) [+ 1: hour]
 *     a run: varint slots - 1, and unless the file is folded varint zigzag(number - one before)
 *     an hour: in the place of the slot zigzag(hour - last hour), then varint slots counted
 *   varint: 7 bits a byte, low ones first, bit 7 = more. Before a group's first span slot and
 *   hour are 0, the number is the file's first. A series may go on in the next block.
 * The series' steps are not in it: who reads hours has the catalogue. */
#ifndef PW_ARCHIVE_H
#define PW_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/fold.h"
#include "store/ledger.h"
struct fail;

struct archive_head {
	uint64_t first, end;       /* numbers of runs, end behind the last */
	int64_t begins, ends;      /* wall ns; begins > ends when it is empty */
	int64_t retain_due;        /* wall ns */
	uint32_t retains;          /* see ageing.h */
	uint32_t blocks;
	bool folded;
	bool amends;               /* runs in it may stand for slots of earlier archives */
};

#define ARCHIVE_PATH 512
void archive_path(char *to, size_t size, const char *state_dir, uint64_t first);

/* ---- writing ---- */
struct archive_writer;
/* Begins STATE_DIR/ledger/spans.new. head: first, end, retains and folded are
 * taken from it. */
struct archive_writer *archive_begin(const char *state_dir, const struct archive_head *head,
	struct fail *why);
/* The spans of one series, in order; series ascending. step 0: not known, no extent is noted.
 * retain: ns, 0 for ever. Errors show in archive_finish. */
void archive_add(struct archive_writer *writer, const struct ledger_span *spans, size_t count,
	int64_t step, int64_t retain);
/* Makes it durable and puts it in its place; head is completed. Frees the writer; on -1
 * nothing has changed. */
int archive_finish(struct archive_writer *writer, struct archive_head *head, struct fail *why);
void archive_abandon(struct archive_writer *writer);

/* ---- reading ---- */
struct archive;
struct archive *archive_open(const char *state_dir, uint64_t first, struct fail *why);
void archive_close(struct archive *archive);
const struct archive_head *archive_head(const struct archive *archive);
/* Spans of one block behind what is in `to`; hours have their number only, and
 * no slots. -1 and why when it is damaged. */
int archive_block(struct archive *archive, uint32_t block, struct fold_list *to, struct fail *why);
/* Calls for the spans of one series, in order. -1 and why when a block of it is damaged; the
 * others are told. */
int archive_each(struct archive *archive, uint32_t series, int64_t step,
	void (*take)(const struct ledger_span *span, void *arg), void *arg, struct fail *why);
#endif
