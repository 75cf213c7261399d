// SPDX-License-Identifier: GPL-2.0
/*
 * agentd - runs commands for the host, as PID 1 of the guest.
 *
 * Talks over the second serial port rather than over virtio: a 16550 needs no
 * memory allocation to move a byte, so that the host keeps its hands on a guest
 * that is out of memory, or whose allocations are made to fail. Which port that
 * is the kernel's command line says, as AGENT_PORT.
 *
 * Every message, in both directions, is a header of three 32-bit numbers in the
 * byte order of the guest (id, kind, length), then the payload. Commands run side
 * by side, each in a session of its own; what a command leaves in the background
 * when its shell ends goes on, with its output cut off.
 *
 * An argument is a command for the console, for ./run boot. It is started here
 * because a shell script makes what it starts in the background deaf to Ctrl-C.
 *
 * When this program ends the kernel panics and QEMU exits: the host learns of a
 * broken agent at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "common.h"

#define MAX_JOBS	16
#define MAX_PAYLOAD	65536	/* lab/agent.py knows this number */

enum kind {
	HELLO	= 0,	/* to the host: ready */
	RUN	= 1,	/* to the guest: a command for sh -c */
	KILL	= 2,	/* to the guest: end the command and its process group */
	OUTPUT	= 3,	/* to the host: stdout and stderr, as they come */
	EXIT	= 4,	/* to the host: exit status as a shell gives it */
};

struct header {
	uint32_t id;
	uint32_t kind;
	uint32_t length;
};

struct job {
	uint32_t id;
	pid_t pid;	/* 0: slot is free */
	int out;	/* read end of the pipe, -1 after end of file */
};

static struct job jobs[MAX_JOBS];
static int port;
static int child_died[2];

static void write_all(const void *data, size_t length)
{
	const char *p = data;

	while (length) {
		ssize_t n = write(port, p, length);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			die("write to the port");
		}
		p += n;
		length -= n;
	}
}

static void send_message(uint32_t id, enum kind kind, const void *payload,
			 uint32_t length)
{
	struct header header = { id, kind, length };

	write_all(&header, sizeof(header));
	write_all(payload, length);
}

static void send_exit(uint32_t id, uint32_t status)
{
	send_message(id, EXIT, &status, sizeof(status));
}

static void refuse(uint32_t id, const char *what)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "agentd: %s: %s\n", what,
			 strerror(errno));

	send_message(id, OUTPUT, text, n);
	send_exit(id, 126);
}

/* Write to /proc/self/oom_score_adj; the OOM killer shall spare the agent. */
static void set_oom_score_adj(const char *value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("oom_score_adj");
	close(fd);
}

static void exec_command(const char *command, int out)
{
	int null = open("/dev/null", O_RDONLY);

	setsid();
	signal(SIGPIPE, SIG_DFL);
	set_oom_score_adj("0");
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(null);
	execl("/bin/sh", "sh", "-c", command, NULL);
	die("exec /bin/sh");
}

static void start_on_console(const char *command)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return;
	set_oom_score_adj("0");
	execl("/bin/sh", "sh", "-c", command, NULL);
	die("exec /bin/sh");
}

static void start_job(uint32_t id, const char *command)
{
	struct job *job = jobs;
	int out[2];

	while (job < jobs + MAX_JOBS && job->pid)
		job++;
	if (job == jobs + MAX_JOBS) {
		errno = EAGAIN;
		refuse(id, "too many commands at once");
		return;
	}
	if (pipe2(out, O_CLOEXEC)) {
		refuse(id, "pipe");
		return;
	}
	job->pid = fork();
	if (job->pid < 0) {
		job->pid = 0;
		close(out[0]);
		close(out[1]);
		refuse(id, "fork");
		return;
	}
	if (!job->pid)
		exec_command(command, out[1]);
	close(out[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	job->id = id;
	job->out = out[0];
}

static void kill_job(uint32_t id)
{
	for (struct job *job = jobs; job < jobs + MAX_JOBS; job++)
		if (job->pid && job->id == id)
			kill(-job->pid, SIGKILL);
}

static void close_output(struct job *job)
{
	if (job->out >= 0)
		close(job->out);
	job->out = -1;
}

/* Pass on what the pipe holds, but not for ever: others want their turn. */
static void forward_output(struct job *job)
{
	static char buffer[4096];

	for (int i = 0; job->out >= 0 && i < 32; i++) {
		ssize_t n = read(job->out, buffer, sizeof(buffer));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0)
			send_message(job->id, OUTPUT, buffer, n);
		else
			close_output(job);
	}
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct job *job = jobs;

		while (job < jobs + MAX_JOBS && job->pid != pid)
			job++;
		if (job == jobs + MAX_JOBS)
			continue;	/* an orphan */
		forward_output(job);
		close_output(job);
		send_exit(job->id, WIFSIGNALED(status) ?
			  128 + WTERMSIG(status) : WEXITSTATUS(status));
		job->pid = 0;
	}
}

static void handle_message(const struct header *header, const char *payload)
{
	if (header->kind == RUN)
		start_job(header->id, payload);
	else if (header->kind == KILL)
		kill_job(header->id);
}

/* Take what the port has; a message is handled when the last byte is there. */
static void read_port(void)
{
	static union {
		char bytes[sizeof(struct header) + MAX_PAYLOAD + 1];
		struct header header;
	} in;
	static size_t have;
	size_t want = sizeof(struct header);
	ssize_t n;

	if (have >= want)
		want += in.header.length;
	n = read(port, in.bytes + have, want - have);
	if (n < 0 && errno != EINTR)
		die("read from the port");
	if (n <= 0)
		return;
	have += n;
	if (have < sizeof(struct header))
		return;
	if (in.header.length > MAX_PAYLOAD) {
		errno = EMSGSIZE;
		die("message from the host");
	}
	if (have < sizeof(struct header) + in.header.length)
		return;
	in.bytes[have] = '\0';
	handle_message(&in.header, in.bytes + sizeof(struct header));
	have = 0;
}

static void on_sigchld(int signal)
{
	int saved = errno;

	(void)signal;
	(void)!write(child_died[1], "", 1);
	errno = saved;
}

static void open_port(void)
{
	struct termios raw;

	port = open(getenv("AGENT_PORT") ?: "", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port < 0 || tcgetattr(port, &raw))
		die("open AGENT_PORT");
	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL;
	cfsetspeed(&raw, B115200);
	if (tcsetattr(port, TCSAFLUSH, &raw))
		die("set up AGENT_PORT");
}

int main(int argc, char **argv)
{
	struct pollfd fds[2 + MAX_JOBS];
	char byte;

	open_port();
	set_oom_score_adj("-1000");
	if (pipe2(child_died, O_CLOEXEC | O_NONBLOCK))
		die("pipe");
	if (argc > 1)
		start_on_console(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, on_sigchld);
	send_message(0, HELLO, NULL, 0);

	for (;;) {
		fds[0] = (struct pollfd){ .fd = port, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = child_died[0], .events = POLLIN };
		for (int i = 0; i < MAX_JOBS; i++)
			fds[2 + i] = (struct pollfd){
				.fd = jobs[i].pid ? jobs[i].out : -1,
				.events = POLLIN,
			};
		if (poll(fds, 2 + MAX_JOBS, -1) < 0) {
			if (errno == EINTR)
				continue;
			die("poll");
		}
		if (fds[0].revents)
			read_port();
		for (int i = 0; i < MAX_JOBS; i++)
			if (fds[2 + i].revents)
				forward_output(&jobs[i]);
		while (read(child_died[0], &byte, 1) > 0)
			;
		reap();
	}
}
