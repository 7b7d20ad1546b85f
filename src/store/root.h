/* root.h - notices that the file system below RRD_DIR was unmounted.
 *
 * A disk that failed is unmounted, repaired and mounted again, and what was not synced is
 * gone without an error anywhere: the files look the same and a sync succeeds. So an unmount
 * is an event (inotify's, which does not keep the disk busy), and a folder of another file
 * system is not taken for ours as long as ours is away. */
#ifndef PW_ROOT_H
#define PW_ROOT_H

#include <stdbool.h>
struct fail;
struct root;

struct root *root_new(const char *rrd_dir);
void root_free(struct root *root);
/* Was it unmounted since the last call? Looks again at a folder that was not there. */
bool root_was_unmounted(struct root *root);
/* True and why: it was unmounted, and what lies there now is on another file system. */
bool root_is_away(const struct root *root, struct fail *why);
#endif
