/* judge.h - one path at work: its sources, its hops, and the verdict over both. Used by
 * paths.c only; knows neither feed nor journal. */
#ifndef PW_JUDGE_H
#define PW_JUDGE_H

#include "path/account.h"
#include "path/hop.h"
#include "path/path.h"
struct series;

/* One series whose data must flow. */
struct source {
	const struct series *series;
	struct sight sight;
};
struct hop {
	struct member *members;
	size_t count;
};
struct path {
	const struct path_options *options;
	struct hop *hops;
	struct source *sources;
	size_t source_count;
	struct account account;
	enum path_state state;
	int64_t since;
	char root[256], evidence[256];
	bool dirty; /* something was told since the last verdict */
};

void path_open(struct path *path, const struct path_options *options,
	struct node *(*node)(void *arg, const char *name), void *arg);
void path_close(struct path *path); /* frees what it holds, not itself */
struct source *path_source_add(struct path *path, const struct series *series);

struct judge_context {
	int64_t now;   /* wall ns */
	int64_t begun; /* wall ns since when we measure */
	const struct node *(*find)(void *arg, const char *name);
	void *arg;
};
/* Sets state, root and evidence anew; true when state or root changed. */
bool path_judge(struct path *path, const struct judge_context *context);
void path_show(const struct path *path, int64_t now, struct path_view *view);
#endif
