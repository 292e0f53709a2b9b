/*
 * signals.c
 *		Asked to stop: SIGTERM and SIGINT.
 */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"

/* signal handlers reach no other way */
static volatile sig_atomic_t stop_asked = 0;
static int	signal_pipe[2] = {-1, -1};

static void on_signal(int number);

void
signals_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (pipe2(signal_pipe, O_NONBLOCK | O_CLOEXEC) != 0)
		abort();
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

bool
signals_asked(void)
{
	return stop_asked;
}

const volatile sig_atomic_t *
signals_stop(void)
{
	return &stop_asked;
}

int
signals_fd(void)
{
	return signal_pipe[0];
}

int
signals_wake_fd(void)
{
	return signal_pipe[1];
}

void
signals_drain(void)
{
	char		bytes[16];

	while (read(signal_pipe[0], bytes, sizeof(bytes)) == sizeof(bytes))
		continue;
}

static void
on_signal(int number)
{
	int			saved = errno;

	(void) number;
	if (stop_asked)
		_exit(EXIT_ASKED);
	stop_asked = 1;
	if (write(signal_pipe[1], "s", 1) < 0)
		stop_asked = 1;			/* poll() is interrupted anyway */
	errno = saved;
}
