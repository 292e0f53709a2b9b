/*
 * rlimits.h
 *		What the system allows this process.
 */
#ifndef RLIMITS_H
#define RLIMITS_H

#include <pthread.h>
#include <stdbool.h>

/*
 * Takes as many file descriptors as it may have.  False, logged: so few that
 * the libraries would end the process without a word.
 */
extern bool rlimits_raise(void);

/* Starts a thread, or leaves with a message and a status worth a restart. */
extern void rlimits_thread(pthread_t *thread, void *(*work) (void *),
						  void *arg);

#endif							/* RLIMITS_H */
