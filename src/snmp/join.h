/* join.h - the end of a table's poll: makes rows of what its columns said (the table's parts are in
 * table_parts.h). They get their names, it is checked whether what came behind these is theirs, they
 * are chosen by pattern, type and state, and told to the task. */
#ifndef PW_JOIN_H
#define PW_JOIN_H

#include <stdbool.h>
struct ask_context;
struct portion;
struct table;

/* False: there is more to do, and the next call goes on with it. */
bool join_rows(struct table *table, const struct ask_context *context, struct portion *portion);
#endif
