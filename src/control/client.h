/* client.h - asks the daemon over RUN_DIR/ctl.sock. Blocking: for programs of the command
 * line only. */
#ifndef PW_CLIENT_H
#define PW_CLIENT_H

#include <jansson.h>
#include <stdint.h>
struct fail;

/* Sends the request (client_call: {"command": COMMAND}; its reference is taken) and gives
 * the answer as a new reference. NULL and why: not reachable, no answer within timeout ns,
 * or no JSON. */
json_t *client_ask(const char *run_dir, json_t *request, int64_t timeout, struct fail *why);
json_t *client_call(const char *run_dir, const char *command, int64_t timeout, struct fail *why);
#endif
