/* fail.h - why something did not work, in one line for the user.
 *
 * A function that can fail takes a struct fail and fills it when it returns its failure
 * value; the caller adds the place and shows it once. Never logs. */
#ifndef PW_FAIL_H
#define PW_FAIL_H

struct fail {
	char text[512]; /* one line, no full stop, never a secret */
};

/* Writes the reason; longer text ends in "...". why may be NULL. */
void fail_set(struct fail *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts "PREFIX: " before what why already says. */
void fail_prefix(struct fail *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#endif
