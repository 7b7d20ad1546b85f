/* pace.h - how often one host is asked, by all lines that lead to it together.
 *
 * A serial server has many ports and one processor, a PLC one communication task whatever port
 * it is asked on: max_rate counts what the host gets. Lines that have to wait take turns, who
 * came first goes first. Knows no frames; asks nobody. */
#ifndef PW_PACE_H
#define PW_PACE_H

#include <stdbool.h>
#include <stdint.h>
struct loop;
struct pace;

/* A line's part in it. */
struct pace_turn {
	struct pace_turn *next, *prev;           /* the pace's: those that wait */
	struct pace_turn *next_member, *prev_member; /* the pace's: all of it */
	struct pace *pace;
	int64_t gap;                             /* ns from one question to the next; 0: no limit */
	bool waiting;
	void (*due)(void *arg);                  /* pace_take will say yes, during the call */
	void *arg;
};

/* all: the hosts of this process, NULL at first. turn: part of the line, with due and arg set
 * and the rest zero. host: copied. */
void pace_join(struct pace **all, struct loop *loop, const char *host, struct pace_turn *turn);
void pace_leave(struct pace **all, struct pace_turn *turn); /* no-op when it has not joined */
/* The longest gap of those on the host holds for all of them. */
void pace_set(struct pace_turn *turn, int64_t gap);
/* True: one question goes out now. False: nothing happened, pace_wait() and it will be told. */
bool pace_take(struct pace_turn *turn);
void pace_wait(struct pace_turn *turn);
void pace_forget(struct pace_turn *turn); /* does not wait any more */
#endif
