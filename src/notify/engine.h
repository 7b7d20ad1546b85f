/* engine.h - who we are in SNMPv3: engine ID and boots of our own TRAPs.
 *
 * Of a TRAP the sender is the authoritative engine (RFC 3414 section 1.5.1): receivers know
 * the user by our engine ID, and silently drop what has an older clock than they have seen.
 * So STATE_DIR/engine keeps both: the ID, made once at random, and the boots, counted up at
 * each start of the poller and on disk before the first TRAP. INFORMs need none of it: there
 * the receiver is authoritative. */
#ifndef PW_ENGINE_H
#define PW_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
struct engine;
struct fail;
struct loop;

/* state_dir NULL: kept nowhere, for tests. NULL and why when the file cannot be read: then
 * we are nobody, for a second ID of ours no receiver would know. */
struct engine *engine_open(struct loop *loop, const char *state_dir, struct fail *why);
void engine_close(struct engine *engine); /* NULL is fine */

const char *engine_id(const struct engine *engine); /* in hexadecimal */
uint32_t engine_boots(const struct engine *engine);
int64_t engine_began(const struct engine *engine); /* mono: when engine time was 0 */
/* The boots are on disk. Where the disk refuses, true after some seconds: an alarm that is
 * not sent is worse than one that may be dropped. */
bool engine_ready(const struct engine *engine);
#endif
