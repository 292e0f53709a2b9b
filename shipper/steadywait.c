/*
 * steadywait.c
 *		Waits that nobody lengthens by setting the clock.
 *
 * librdkafka's threads wait by cnd_timedwait(), which C11 ties to the wall
 * clock: set back by an hour while they wait for a broker, they sleep for an
 * hour more, and nothing is delivered.  The program's own definition wins
 * over the C library's, and waits by a clock that only goes forward.
 *
 * A point of time that was computed before the clock was set lies far away;
 * no wait of librdkafka is that long, so it is over early, and asked for anew.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>

#ifdef __GLIBC__
#define WAIT_MAX_S		60
#define SECOND_NS		1000000000L

/* In glibc these are what POSIX has, under another name. */
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "cnd_t");
_Static_assert(sizeof(mtx_t) <= sizeof(pthread_mutex_t), "mtx_t");

int
cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
			  const struct timespec *restrict until)
{
	struct timespec now;
	struct timespec steady;
	int64_t		seconds;
	int			result;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &steady);
	seconds = until->tv_sec - now.tv_sec;
	if (seconds > WAIT_MAX_S)
		return thrd_timedout;
	steady.tv_sec += seconds;
	steady.tv_nsec += until->tv_nsec - now.tv_nsec;
	steady.tv_sec += (steady.tv_nsec >= SECOND_NS) - (steady.tv_nsec < 0);
	steady.tv_nsec = (steady.tv_nsec + SECOND_NS) % SECOND_NS;

	result = pthread_cond_clockwait((pthread_cond_t *) cond,
									(pthread_mutex_t *) mutex,
									CLOCK_MONOTONIC, &steady);
	return result == 0 ? thrd_success :
		result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
#endif
