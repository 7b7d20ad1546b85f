/* same.h - varbinds as the fast decoder has read them, against Net-SNMP's. */
#ifndef FUZZ_SAME_H
#define FUZZ_SAME_H

#include <stdbool.h>
#include <stddef.h>
struct variable_list;
struct varbind;

/* As many, the same names, types and values to the last bit. */
bool same_varbinds(const struct varbind *ours, size_t count, const struct variable_list *theirs);
#endif
