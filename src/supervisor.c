#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net.h"
#include "config/conf.h"
#include "core/device.h"
#include "journal/state.h"
#include "priority.h"
#include "privileges.h"
#include "role.h"
#include "store/flush.h"
#include "store/store.h"

enum { ROLE_STORE, ROLE_POLLER, ROLES };
static const char *const role_names[ROLES] = { "store", "poller" };

struct role {
	pid_t pid;       /* 0 when it does not run */
	int alive_fd;    /* our end */
	int64_t started; /* mono ms */
	int64_t again;   /* mono ms at which it is started again; 0 = now */
	int vain;        /* starts in a row that ended by themselves at once */
};

struct supervisor {
	const struct supervisor_options *options;
	struct inventory *inventory;
	int bundle_fd, lock_fd, signal_fd;
	int ctl_fd, flush_fd, icmp4, icmp6;
	struct role roles[ROLES];
	sigset_t old_signals;
	bool stopping;
};

static int64_t
mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- configuration, read by a child ---- */

static void
check_in_child(const char *path, int bundle_fd, int report_fd)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(path, &errors);
	FILE *report = fdopen(report_fd, "w");
	struct fail why;

	if (conf == NULL) {
		conf_report(&errors, report);
		fclose(report);
		_exit(1);
	}
	if (conf_bundle_write(conf, bundle_fd, &why) == -1) {
		fprintf(report, "%s: %s\n", path, why.text);
		fclose(report);
		_exit(1);
	}
	_exit(0);
}

static void
read_report(int fd, char *text, size_t size)
{
	ssize_t length;

	text[0] = '\0';
	length = pread(fd, text, size - 1, 0);
	text[length > 0 ? length : 0] = '\0';
}

/* The checked bundle in a sealed memfd, or -1 with everything that is wrong in text. */
static int
load_bundle(struct supervisor *s, char *text, size_t size)
{
	int bundle = memfd_create("pollwerk-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int report = memfd_create("pollwerk-report", MFD_CLOEXEC);
	int status = 0;
	pid_t pid = bundle == -1 || report == -1 ? -1 : fork();

	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
		check_in_child(s->options->config, bundle, report);
	}
	if (pid == -1) {
		snprintf(text, size, "cannot check the configuration: %s", strerror(errno));
	} else {
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			continue;
		read_report(report, text, size);
		if (status != 0 && text[0] == '\0')
			snprintf(text, size, "%s: reading it ended the checking process (status %#x)",
				s->options->config, (unsigned)status);
	}
	if (report != -1)
		close(report);
	if (pid == -1 || status != 0) {
		if (bundle != -1)
			close(bundle);
		return -1;
	}
	fcntl(bundle, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return bundle;
}

static void
log_lines(const char *text)
{
	char *copy = mem_text(text), *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			log_error("%s", line);
	free(copy);
}

static struct inventory *
read_inventory(int bundle_fd)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load_bundle(bundle_fd, &errors);
	struct inventory *inventory = NULL;

	if (conf != NULL)
		inventory = conf_inventory(conf);
	else
		for (size_t i = 0; i < errors.count; i++)
			log_error("%s:%d: %s", errors.items[i].file, errors.items[i].line,
				errors.items[i].text);
	conf_errors_free(&errors);
	conf_free(conf);
	/* Each role begins with a copy of this memory. */
	mem_trim();
	return inventory;
}

/* ---- rights and places ---- */

/* mkdir -p; what is made new belongs to the roles' user. */
static int
make_dir(const struct supervisor *s, const char *path, struct fail *why)
{
	char *copy = mem_text(path);
	int failed = 0;

	for (char *c = copy + 1; failed == 0; c++) {
		char end = *c;

		if (end != '/' && end != '\0')
			continue;
		*c = '\0';
		if (mkdir(copy, 0750) == 0) {
			failed = privileges_give(s->inventory->poller.user, copy, why);
		} else if (errno != EEXIST) {
			fail_set(why, "%s: %s", path, strerror(errno));
			failed = -1;
		}
		*c = end;
		if (end == '\0')
			break;
	}
	free(copy);
	return failed;
}

static int
listen_at(const struct supervisor *s, const char *name, struct fail *why)
{
	struct fail not_given;
	char *path = mem_format("%s/%s", s->inventory->poller.run_dir, name);
	int fd = net_unix_listen(path, 0660, why);

	if (fd != -1 && privileges_give(s->inventory->poller.user, path, &not_given) == -1)
		log_warn("%s", not_given.text);
	free(path);
	return fd;
}

static int
open_places(struct supervisor *s, struct fail *why)
{
	const struct poller_options *poller = &s->inventory->poller;
	struct fail no_ping;

	if (privileges_check(poller->user, why) == -1)
		return -1;
	if (make_dir(s, poller->state_dir, why) == -1 || make_dir(s, poller->run_dir, why) == -1)
		return -1;
	/* The store tries again by itself: a disk that is not there must not stop polling. */
	if (make_dir(s, poller->rrd_dir, why) == -1)
		log_error("%s", why->text);
	if (privileges_may_write(poller->user, poller->state_dir, why) == -1 ||
		privileges_may_write(poller->user, poller->run_dir, why) == -1)
		return -1;
	s->lock_fd = state_lock(poller->state_dir, why);
	if (s->lock_fd == -1)
		return -1;
	s->ctl_fd = listen_at(s, "ctl.sock", why);
	if (s->ctl_fd == -1)
		return -1;
	s->flush_fd = listen_at(s, FLUSH_SOCKET, why);
	if (s->flush_fd == -1)
		return -1;
	s->icmp4 = net_icmp_socket(4, &no_ping);
	if (s->icmp4 == -1)
		log_warn("no ping: %s", no_ping.text);
	s->icmp6 = net_icmp_socket(6, &no_ping);
	return 0;
}

/* ---- roles ---- */

static _Noreturn void
run_role(struct supervisor *s, int which, int alive_fd)
{
	struct role_poller given = { alive_fd, s->inventory, s->ctl_fd, s->icmp4, s->icmp6 };
	const struct store_options *store = s->inventory->store;
	struct fail why;

	/* A role must see EOF when the supervisor dies, so it holds no end of the others' pairs. */
	for (int i = 0; i < ROLES; i++)
		if (s->roles[i].alive_fd != -1)
			close(s->roles[i].alive_fd);
	close(s->signal_fd);
	sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
	log_open(s->options->foreground ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG, role_names[which]);
	prctl(PR_SET_NAME, which == ROLE_STORE ? "pollwerk-store" : "pollwerk-poller");
	if (which == ROLE_STORE)
		priority_patient();
	else
		priority_prompt();
	if (privileges_drop(s->inventory->poller.user, &why) == -1) {
		log_error("%s", why.text);
		_exit(1);
	}
	exit(which == ROLE_STORE ? store_main(store, alive_fd, s->flush_fd) : poller_main(&given));
}

static void
start_role(struct supervisor *s, int which)
{
	struct role *role = &s->roles[which];
	struct fail why;
	int pair[2];

	if (net_pair(pair, &why) == -1) {
		log_error("%s: %s", role_names[which], why.text);
		role->again = mono_ms() + 1000;
		return;
	}
	role->started = mono_ms();
	role->pid = fork();
	if (role->pid == 0) {
		close(pair[0]);
		run_role(s, which, pair[1]);
	}
	close(pair[1]);
	if (role->pid == -1) {
		log_error("%s: cannot start: %s", role_names[which], strerror(errno));
		close(pair[0]);
		role->pid = 0;
		role->again = mono_ms() + 1000;
		return;
	}
	role->alive_fd = pair[0];
}

static void
say_how_it_ended(const char *name, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_error("%s (pid %d) was ended by signal %d (%s), starting it again", name, (int)pid,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_error("%s (pid %d) ended with status %d, starting it again", name, (int)pid,
			WEXITSTATUS(status));
}

/* At once; one that dies at its start is tried twice a second, and one that says itself why
 * it cannot run less and less often, so that the log stays readable. */
static int64_t
pause_before_next(struct role *role, int status)
{
	bool early = mono_ms() - role->started < 2000;

	role->vain = early && !WIFSIGNALED(status) ? role->vain + 1 : 0;
	if (!early)
		return 0;
	return role->vain > 6 ? 30000 : 500 << (role->vain > 0 ? role->vain - 1 : 0);
}

static void
bury(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < ROLES; i++) {
			struct role *role = &s->roles[i];

			if (role->pid != pid)
				continue;
			if (!s->stopping)
				say_how_it_ended(role_names[i], pid, status);
			close(role->alive_fd);
			role->alive_fd = -1;
			role->pid = 0;
			role->again = mono_ms() + pause_before_next(role, status);
		}
}

/* ---- reload ---- */

static bool
same_places(const struct inventory *a, const struct inventory *b)
{
	return strcmp(a->poller.state_dir, b->poller.state_dir) == 0 &&
		strcmp(a->poller.run_dir, b->poller.run_dir) == 0 &&
		strcmp(a->poller.rrd_dir, b->poller.rrd_dir) == 0 &&
		strcmp(a->poller.user, b->poller.user) == 0;
}

static bool
same_store(const struct inventory *a, const struct inventory *b)
{
	const struct store_options *x = a->store, *y = b->store;

	return x->flush == y->flush && x->memory == y->memory &&
		x->journal_budget == y->journal_budget && x->journal_size == y->journal_size;
}

static void
tell_poller(struct supervisor *s, enum role_message kind, const char *text, int fd)
{
	struct fail why;

	if (s->roles[ROLE_POLLER].pid != 0 &&
		role_send(s->roles[ROLE_POLLER].alive_fd, kind, text, fd, &why) == -1)
		log_error("poller: %s", why.text);
}

static void
refuse_reload(struct supervisor *s, const char *text)
{
	log_lines(text);
	log_error("the old configuration goes on");
	tell_poller(s, ROLE_REFUSED, text, -1);
}

static void
reload(struct supervisor *s)
{
	static char text[ROLE_TEXT];
	int bundle = load_bundle(s, text, sizeof text);
	struct inventory *inventory = bundle == -1 ? NULL : read_inventory(bundle);

	if (inventory == NULL) {
		refuse_reload(s, text);
		goto out;
	}
	if (!same_places(s->inventory, inventory)) {
		refuse_reload(s, "poller.user, state_dir, run_dir and rrd_dir change with a restart only");
		goto out;
	}
	if (!same_store(s->inventory, inventory) && s->roles[ROLE_STORE].pid != 0)
		kill(s->roles[ROLE_STORE].pid, SIGTERM);
	close(s->bundle_fd);
	s->bundle_fd = bundle;
	bundle = -1;
	inventory_unref(s->inventory);
	s->inventory = inventory;
	inventory = NULL;
	tell_poller(s, ROLE_CONFIG, "", s->bundle_fd);
	for (int i = 0; i < ROLES; i++)
		s->roles[i].again = s->roles[i].vain = 0; /* perhaps it can run now */
out:
	inventory_unref(inventory);
	if (bundle != -1)
		close(bundle);
}

/* ---- the supervisor's own loop ---- */

static void
take_signal(struct supervisor *s)
{
	struct signalfd_siginfo signal;

	if (read(s->signal_fd, &signal, sizeof signal) != sizeof signal)
		return;
	if (signal.ssi_signo == SIGCHLD)
		bury(s);
	else if (signal.ssi_signo == SIGHUP)
		reload(s);
	else
		s->stopping = true;
}

static void
take_message(struct supervisor *s, struct role *role)
{
	static char text[ROLE_TEXT];
	enum role_message kind;
	struct fail why;
	int fd, got = role_receive(role->alive_fd, &kind, text, sizeof text, &fd, &why);

	if (fd != -1)
		close(fd);
	if (got == 1 && kind == ROLE_RELOAD)
		reload(s);
	else if (got != 1 && role->pid != 0)
		kill(role->pid, SIGKILL); /* it cannot talk any more; it is buried when it has gone */
}

static int
time_to_wait(const struct supervisor *s)
{
	int64_t now = mono_ms(), wait = 3600000;

	for (int i = 0; i < ROLES; i++)
		if (s->roles[i].pid == 0 && s->roles[i].again - now < wait)
			wait = s->roles[i].again - now;
	return wait < 0 ? 0 : (int)wait;
}

static void
turn(struct supervisor *s)
{
	struct pollfd fds[1 + ROLES] = { { .fd = s->signal_fd, .events = POLLIN } };

	for (int i = 0; i < ROLES; i++) {
		if (s->roles[i].pid == 0 && s->roles[i].again <= mono_ms())
			start_role(s, i);
		fds[1 + i] = (struct pollfd){ .fd = s->roles[i].alive_fd, .events = POLLIN };
	}
	if (poll(fds, 1 + ROLES, time_to_wait(s)) <= 0)
		return;
	for (int i = 0; i < ROLES; i++)
		if (fds[1 + i].revents != 0 && s->roles[i].alive_fd == fds[1 + i].fd)
			take_message(s, &s->roles[i]);
	if (fds[0].revents != 0)
		take_signal(s);
}

/* The poller first, so that everything it still writes is there when the store ends. */
static void
stop_role(struct supervisor *s, int which, int64_t patience)
{
	struct role *role = &s->roles[which];
	int64_t end = mono_ms() + patience;

	if (role->pid == 0)
		return;
	kill(role->pid, SIGTERM);
	while (role->pid != 0 && mono_ms() < end) {
		struct pollfd fd = { .fd = s->signal_fd, .events = POLLIN };

		if (poll(&fd, 1, 100) > 0)
			take_signal(s);
		bury(s);
	}
	if (role->pid != 0) {
		log_error("%s does not end by itself, killed", role_names[which]);
		kill(role->pid, SIGKILL);
		waitpid(role->pid, NULL, 0);
		role->pid = 0;
	}
}

static int
block_signals(struct supervisor *s)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, &s->old_signals);
	signal(SIGPIPE, SIG_IGN);
	/* The store's; a role that has no handler yet shall not end by it. */
	signal(SIGUSR1, SIG_IGN);
	s->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd == -1 ? -1 : 0;
}

/* A line each for hundreds of PLCs needs more descriptors than the usual 1024. */
static void
raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int
begin(struct supervisor *s, char *text, size_t size)
{
	struct fail why;

	raise_file_limit();
	if (block_signals(s) == -1) {
		snprintf(text, size, "signals: %s", strerror(errno));
		return -1;
	}
	s->bundle_fd = load_bundle(s, text, size);
	if (s->bundle_fd == -1)
		return -1;
	s->inventory = read_inventory(s->bundle_fd);
	if (s->inventory == NULL)
		return -1;
	if (open_places(s, &why) == -1) {
		snprintf(text, size, "%s", why.text);
		return -1;
	}
	return 0;
}

int
supervisor_main(const struct supervisor_options *options)
{
	static char text[ROLE_TEXT];
	struct supervisor s = { .options = options, .bundle_fd = -1, .lock_fd = -1,
		.signal_fd = -1, .ctl_fd = -1, .flush_fd = -1, .icmp4 = -1, .icmp6 = -1,
		.roles = { { .alive_fd = -1 }, { .alive_fd = -1 } } };

	/* Mistakes are shown where the operator looks: on the terminal of the start. */
	log_open(LOG_TARGET_STDERR, "");
	if (begin(&s, text, sizeof text) == -1) {
		fputs(text, stderr);
		if (text[0] != '\0' && text[strlen(text) - 1] != '\n')
			fputc('\n', stderr);
		inventory_unref(s.inventory);
		return 1;
	}
	/* The lock is the open file's, and so goes on in the daemon that daemon() leaves. */
	if (!options->foreground) {
		if (daemon(1, 0) == -1) {
			perror("pollwerkd: daemon");
			return 1;
		}
		state_lock_sign(s.lock_fd);
		log_open(LOG_TARGET_SYSLOG, "");
	}
	if (geteuid() == 0 && *s.inventory->poller.user == '\0')
		log_warn("running as root: set poller.user to a user of its own");
	log_info("pollwerkd %s: %zu device%s, %s", PW_VERSION, s.inventory->device_count,
		s.inventory->device_count == 1 ? "" : "s", options->config);
	while (!s.stopping)
		turn(&s);
	log_info("stopping");
	stop_role(&s, ROLE_POLLER, 10000);
	stop_role(&s, ROLE_STORE, 60000);
	inventory_unref(s.inventory);
	return 0;
}
