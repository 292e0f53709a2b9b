/*
 * exposition.h
 *		Metrics as text that Prometheus reads (format 0.0.4).
 */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include "metrics.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* To be freed. */
extern char *exposition_text(const struct metrics *metrics);

#endif							/* EXPOSITION_H */
