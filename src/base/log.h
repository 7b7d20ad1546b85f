/* log.h - what the operator reads: one line per change of state, never one per poll.
 *
 * Lines go to stderr or to syslog. Writing never blocks the caller: what a full pipe does
 * not take is counted and reported once there is room again. No secrets, no full stops. */
#ifndef PW_LOG_H
#define PW_LOG_H

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_NONE };

/* Names the process in each line ("poller", "store"). Lines before this go to stderr. */
void log_open(enum log_target target, const char *role);
void log_verbose(int on); /* also debug lines */

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A test may catch every line (level is 'E', 'W', 'I' or 'D'); NULL ends it. */
void log_catch(void (*catch)(char level, const char *line, void *arg), void *arg);
#endif
