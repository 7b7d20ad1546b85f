/* diff.h - what makes a device the same device after a reload. */
#ifndef PW_DIFF_H
#define PW_DIFF_H

#include <stdint.h>
struct device;

/* A hash over everything that was expanded about the device: templates, profile, address,
 * secrets, points. Where it stands in the files does not count. */
uint64_t diff_fingerprint(const struct device *device);
#endif
