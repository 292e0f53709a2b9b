/*
 * rows.h
 *		What a query returned; cells are text.
 *
 * Rows and columns count from 0, and must be there.  A cell lives as long as
 * its rows.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stdint.h>

struct pg_result;				/* libpq's */
struct rows;

/* Takes the result over. */
extern struct rows *rows_take(struct pg_result *result);

extern int	rows_count(const struct rows *rows);

/* "" for null */
extern const char *rows_text(const struct rows *rows, int row, int column);
extern bool rows_null(const struct rows *rows, int row, int column);

/* of a boolean, an integer; false and 0 for null */
extern bool rows_bool(const struct rows *rows, int row, int column);
extern int64_t rows_int(const struct rows *rows, int row, int column);

/* NULL is fine. */
extern void rows_free(struct rows *rows);

#endif							/* ROWS_H */
