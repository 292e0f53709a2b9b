/*
 * folder.h
 *		The folder of "sink = file:DIR": a file for each topic.
 *
 * Both return a descriptor, which the caller closes, or -1, which is logged.
 */
#ifndef FOLDER_H
#define FOLDER_H

/* Makes it if it is not there; the folder above must be. */
extern int	folder_open(const char *path);

/*
 * The topic's file, to append to: it ends with a whole line, or is empty, and
 * is there after a crash.
 */
extern int	folder_topic(int folder, const char *topic);

#endif							/* FOLDER_H */
