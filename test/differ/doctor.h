/*
 * doctor.h
 *		Falsifies one record of ours, as a bug of the plugin would: what it
 *		treats, the comparison has to notice.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>

#include "record.h"

/* NULL if there is no such treatment. */
extern struct doctor *doctor_open(const char *treatment);

/* Names of all treatments, the last is NULL. */
extern const char *const *doctor_treatments(void);

/* Changes the record's value; false means that it is to be left out. */
extern bool doctor_treat(struct doctor *doctor, struct record *record);

/* Frees it, and returns whether it found a record to treat. */
extern bool doctor_close(struct doctor *doctor);

#endif							/* DOCTOR_H */
