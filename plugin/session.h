/*
 * session.h
 *		Settings on which the text of a value depends.
 */
#ifndef SESSION_H
#define SESSION_H

/* Fixes them for the rest of the session: a walsender does nothing else. */
extern void wal2kafka_session_pin(void);

/*
 * Fixes them until wal2kafka_session_restore() is given the returned level,
 * or until an ERROR ends the (sub)transaction: in somebody's own session.
 */
extern int	wal2kafka_session_pin_scoped(void);
extern void wal2kafka_session_restore(int level);

#endif							/* SESSION_H */
