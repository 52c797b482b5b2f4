/* SPDX-License-Identifier: MIT */
/* Starts and stops the servers of the peers. */
#include "bench/durable/server.h"

#include "bench/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVER_COUNT_MAX = 16, PATH_LEN_MAX = 4096, WAIT_MS = 10 * 1000, PAUSE_MS = 5 };

static const char SERVER_USER[] = "nobody";

static struct {
	pid_t pid;
	int stop_signal;
} servers[SERVER_COUNT_MAX];
static size_t server_count;
static pid_t owner;

bool server_has_program(const char *program)
{
	char path[PATH_LEN_MAX];
	const char *folders = getenv("PATH");

	if (strchr(program, '/') != NULL)
		return access(program, X_OK) == 0;
	while (folders != NULL && *folders != 0) {
		size_t len = strcspn(folders, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)len, folders, program);
		if (access(path, X_OK) == 0)
			return true;
		folders += len;
		folders += *folders == ':';
	}
	return false;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

int server_free_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		bench_die("cannot find a free port");
	close(listener);
	return ntohs(address.sin_port);
}

int server_connect(int port)
{
	struct sockaddr_in address = loopback(port);
	int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connection >= 0 &&
	    connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0)
		return connection;
	if (connection >= 0)
		close(connection);
	return -1;
}

static int connect_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connection >= 0 &&
	    connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0)
		return connection;
	if (connection >= 0)
		close(connection);
	return -1;
}

static bool wait_for(int port, const char *path)
{
	for (int waited = 0; waited < WAIT_MS; waited += PAUSE_MS) {
		int connection = path != NULL ? connect_socket(path) : server_connect(port);

		if (connection >= 0) {
			close(connection);
			return true;
		}
		usleep(PAUSE_MS * 1000);
	}
	return false;
}

bool server_wait_port(int port)
{
	return wait_for(port, NULL);
}

bool server_wait_socket(const char *path)
{
	return wait_for(0, path);
}

static const struct passwd *account(const char *user)
{
	const struct passwd *found = NULL;

	if (geteuid() != 0)
		return NULL;
	found = getpwnam(user != NULL ? user : SERVER_USER);
	if (found == NULL)
		bench_die("there is no account %s", user != NULL ? user : SERVER_USER);
	return found;
}

const char *server_folder(const char *name, const char *user)
{
	const char *path = durable_path(name);
	const struct passwd *who = account(user);

	if (mkdir(path, 0700) != 0 || (who != NULL && chown(path, who->pw_uid, who->pw_gid) != 0))
		bench_die("cannot make the folder %s", path);
	return path;
}

/* In the child. The signal comes when the benchmark dies before it could stop what it started. */
static void become(const char *name, char *const argv[], const struct passwd *who, int stop_signal)
{
	char log_name[64];
	int log = -1;

	snprintf(log_name, sizeof(log_name), "%s.log", name);
	log = open(durable_path(log_name), O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	setpgid(0, 0);
	if (who != NULL && (initgroups(who->pw_name, who->pw_gid) != 0 ||
			    setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, stop_signal);
	if (chdir(durable_path(".")) != 0)
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

static pid_t start(const char *name, char *const argv[], const char *user, int stop_signal)
{
	const struct passwd *who = account(user);
	pid_t pid = -1;

	pid = fork();
	if (pid == 0)
		become(name, argv, who, stop_signal);
	if (pid < 0)
		bench_die("cannot start %s", argv[0]);
	return pid;
}

bool server_run(const char *name, char *const argv[], const char *user)
{
	pid_t pid = start(name, argv, user, SIGKILL);
	int status = 0;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

pid_t server_start(const char *name, char *const argv[], const char *user, int stop_signal)
{
	if (server_count == SERVER_COUNT_MAX)
		bench_die("there are more than %d servers", SERVER_COUNT_MAX);
	if (owner == 0)
		atexit(server_stop_all);
	owner = getpid();
	servers[server_count].stop_signal = stop_signal;
	servers[server_count].pid = start(name, argv, user, stop_signal);
	server_count++;
	return servers[server_count - 1].pid;
}

void server_stop_all(void)
{
	/* a worker that was forked and fails runs this too */
	if (getpid() != owner)
		return;
	for (size_t i = 0; i < server_count; i++)
		kill(servers[i].pid, servers[i].stop_signal);
	for (size_t i = 0; i < server_count; i++)
		waitpid(servers[i].pid, NULL, 0);
	server_count = 0;
}
