/*
 * rlimits.c
 *		What the system allows this process.
 */
#include "rlimits.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "log.h"

#define FILES_MIN	64			/* pipes, the server, some brokers, HTTP */
#define FILES_MAX	65536		/* no use for more */

bool
rlimits_raise(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return true;
	if (files.rlim_cur < FILES_MAX && files.rlim_cur < files.rlim_max)
	{
		files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max :
			FILES_MAX;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			getrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur >= FILES_MIN)
		return true;
	log_error("too few file descriptors: this process may open %llu, and "
			  "needs %d", (unsigned long long) files.rlim_cur, FILES_MIN);
	log_hint("Raise the limit: \"ulimit -n\", or LimitNOFILE of the service.");
	return false;
}

/* Nothing that was not confirmed is lost by leaving at any point. */
void
rlimits_thread(pthread_t *thread, void *(*work) (void *), void *arg)
{
	int			err = pthread_create(thread, NULL, work, arg);

	if (err == 0)
		return;
	log_error("could not start a thread: %s", strerror(err));
	log_hint("Raise the limits on memory and threads: \"ulimit -v\", "
			 "\"ulimit -u\", MemoryMax or TasksMax of the service.");
	_exit(EXIT_RESTART);
}
