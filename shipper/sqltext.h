/*
 * sqltext.h
 *		Values as SQL literals, for commands that take no parameters.
 */
#ifndef SQLTEXT_H
#define SQLTEXT_H

/*
 * In single quotes, to be freed.  For the replication grammar, which knows no
 * escape but a doubled quote, and sessions with standard_conforming_strings.
 */
extern char *sqltext_literal(const char *value);

#endif							/* SQLTEXT_H */
