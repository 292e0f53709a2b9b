/*
 * snapshot_table.h
 *		How far a snapshot is with a table.
 */
#ifndef SNAPSHOT_TABLE_H
#define SNAPSHOT_TABLE_H

enum snapshot_table_state
{
	SNAPSHOT_WAITING,
	SNAPSHOT_COPYING,
	SNAPSHOT_DONE,
	SNAPSHOT_FAILED,
	SNAPSHOT_CANCELLED,
	SNAPSHOT_STATES,			/* how many there are */
};

/* In the state record, in answers and on /metrics; snapshot_plan.c. */
extern const char *
snapshot_state_name(enum snapshot_table_state state);

#endif							/* SNAPSHOT_TABLE_H */
