/*
 * clock_skew.c
 *		To be preloaded: a program whose wall clock somebody sets.
 *
 * CLOCK_SKEW names a file of eight bytes, the ms by which the wall clock is
 * wrong, which may change at any time.  Waits until a point of that clock end
 * when it gets there, as the kernel has it: set back by an hour, they take an
 * hour longer.  The monotonic clock is not touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS		20000000	/* how often a wait looks at the clock */
#define SECOND_NS	1000000000

static const volatile int64_t *skew;

__attribute__((constructor)) static void
map_skew(void)
{
	static const int64_t none = 0;
	const char *file = getenv("CLOCK_SKEW");
	int			fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	void	   *bytes = fd < 0 ? MAP_FAILED :
		mmap(NULL, sizeof(*skew), PROT_READ, MAP_SHARED, fd, 0);

	skew = bytes == MAP_FAILED ? &none : bytes;
	if (fd >= 0)
		close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int			result = (int) syscall(SYS_clock_gettime, clock, now);

	if (result == 0 && skew != NULL &&
		(clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
	{
		int64_t		ns = now->tv_nsec + *skew % 1000 * 1000000;

		now->tv_sec += *skew / 1000 + (ns >= SECOND_NS) - (ns < 0);
		now->tv_nsec = (ns + SECOND_NS) % SECOND_NS;
	}
	return result;
}

int
timespec_get(struct timespec *now, int base)
{
	clock_gettime(CLOCK_REALTIME, now);
	return base;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;

	clock_gettime(CLOCK_REALTIME, &precise);
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *to)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (to != NULL)
		*to = now.tv_sec;
	return now.tv_sec;
}

/* ns until a point of the wall clock, STEP_NS at most */
static int64_t
left(const struct timespec *until)
{
	struct timespec now;
	int64_t		seconds;
	int64_t		ns;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = until->tv_sec - now.tv_sec;
	if (seconds > 1)
		return STEP_NS;
	ns = seconds * SECOND_NS + until->tv_nsec - now.tv_nsec;
	return ns < STEP_NS ? ns : STEP_NS;
}

int
pthread_cond_timedwait(pthread_cond_t *restrict cond,
					   pthread_mutex_t *restrict mutex,
					   const struct timespec *restrict until)
{
	int64_t		ns;
	int			result = ETIMEDOUT;

	/* glibc's mark of a condition that was made for the monotonic clock */
	if ((cond->__data.__wrefs & 2) != 0)
		return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
	while (result == ETIMEDOUT && (ns = left(until)) > 0)
	{
		struct timespec step;

		clock_gettime(CLOCK_MONOTONIC, &step);
		step.tv_nsec += ns;
		step.tv_sec += step.tv_nsec / SECOND_NS;
		step.tv_nsec %= SECOND_NS;
		result = pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &step);
	}
	return result;
}

int
cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
			  const struct timespec *restrict until)
{
	int			result = pthread_cond_timedwait((pthread_cond_t *) cond,
												(pthread_mutex_t *) mutex,
												until);

	return result == 0 ? thrd_success :
		result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
