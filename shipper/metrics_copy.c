/*
 * metrics_copy.c
 *		A copy of the metrics for another thread.
 */
#include "metrics_copy.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define FRESH_MS	10			/* a copy this young serves another reader */
#define WAIT_MS		200

static int64_t oldest(const struct ledger *ledger);
static void wait_for_copy(void);

static int	wake_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t made;

/* under the lock, but for "wanted", which the loop looks at without */
static struct metrics copy;
static int64_t copied_at = 0;	/* ms */
static bool wanted = false;

void
metrics_copy_init(int wake)
{
	pthread_condattr_t attributes;

	wake_fd = wake;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&made, &attributes);
	pthread_condattr_destroy(&attributes);
}

void
metrics_copy_serve(const struct ledger *ledger, const struct cursor *cursor)
{
	if (!__atomic_load_n(&wanted, __ATOMIC_ACQUIRE))
		return;
	/* while the cursor holds a frame the ledger counts one more */
	metrics.outstanding = ledger->outstanding - (cursor->entry != NULL);
	metrics.outstanding_bytes = ledger->size;
	metrics.oldest = oldest(ledger);

	pthread_mutex_lock(&lock);
	copy = metrics;
	copied_at = clock_ms();
	__atomic_store_n(&wanted, false, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&made);
	pthread_mutex_unlock(&lock);
}

void
metrics_copy_take(struct metrics *to)
{
	pthread_mutex_lock(&lock);
	if (clock_ms() - copied_at > FRESH_MS)
		wait_for_copy();
	*to = copy;
	pthread_mutex_unlock(&lock);
}

/* Few are without records between those that have some. */
static int64_t
oldest(const struct ledger *ledger)
{
	const struct ledger_entry *entry = ledger->head;

	while (entry != NULL && entry->received == 0)
		entry = entry->next;
	if (entry == NULL)
		return metrics_now();
	return entry->committed > 0 ? entry->committed : entry->received;
}

/* That a copy is wanted already means that the last wait was in vain. */
static void
wait_for_copy(void)
{
	struct timespec end;

	if (__atomic_load_n(&wanted, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&wanted, true, __ATOMIC_RELEASE);
	if (write(wake_fd, "m", 1) < 0 && errno != EAGAIN)
		return;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += WAIT_MS * 1000000L;
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	while (__atomic_load_n(&wanted, __ATOMIC_RELAXED))
		if (pthread_cond_timedwait(&made, &lock, &end) != 0)
			break;
}
