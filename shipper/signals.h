/*
 * signals.h
 *		Asked to stop: SIGTERM and SIGINT.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * From now on a first signal asks to stop, and a second ends the process at
 * once: nothing unconfirmed is lost by it.
 */
extern void signals_catch(void);

extern bool signals_asked(void);

/* The flag itself, for those who wait elsewhere. */
extern const volatile sig_atomic_t *signals_stop(void);

/* What poll() should watch, and a descriptor that wakes it when written to. */
extern int	signals_fd(void);
extern int	signals_wake_fd(void);

/* Takes what woke it. */
extern void signals_drain(void);

#endif							/* SIGNALS_H */
