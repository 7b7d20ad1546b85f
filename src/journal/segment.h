/* segment.h - names, heads and ends of segment files; shared by writer and reader. */
#ifndef PW_SEGMENT_H
#define PW_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "journal/record.h"

#define SEGMENT_PATH 512

void segment_directory(char *to, size_t size, const char *state_dir);
void segment_path(char *to, size_t size, const char *state_dir, uint64_t number);
/* Numbers in order, malloc'ed; 0 and NULL when there are none, with errno 0, or when that cannot be
 * told, with errno. Segments behind the newest one that was begun are not among them: they only
 * stand ready. */
size_t segment_list(const char *state_dir, uint64_t **numbers);
/* Of all, begun or not; 0: there is none, or errno. */
uint64_t segment_newest(const char *state_dir);
/* 1: something stands where its first frame belongs, committed or not; or it cannot be read. 0: not.
 * -1: descriptors or memory are short, so nobody knows; errno. */
int segment_is_begun(const char *state_dir, uint64_t number);
uint64_t segment_bytes(const char *state_dir); /* of all segments together */
/* Of what stands in segments, one behind the other; begins as all 0. */
struct segment_digest {
	uint64_t size;
	uint32_t crc;
};
/* Cuts off what was made ready behind the end of a segment that nobody writes any more: zeros
 * behind its last whole frame. The rest is added to the digest. 0, -1 and errno. */
int segment_trim(int fd, struct segment_digest *digest);
/* After a sync of it failed: what the kernel still has of it is written to its place once more,
 * and added to the digest, by which the caller sees whether that is all. 0, -1 and errno when
 * it is not written. */
int segment_write_again(int fd, struct segment_digest *digest);
void segment_header(uint8_t header[RECORD_SEGMENT_HEADER], uint64_t number, int64_t wall);
/* The head of that segment, whole and right? */
bool segment_header_check(const uint8_t header[RECORD_SEGMENT_HEADER], uint64_t number);
/* fsync of a file or directory by name; 0 or -1 with errno. */
int segment_sync_path(const char *path);
#endif
