/*
 * logged.h
 *		What a function logs.
 */
#ifndef LOGGED_H
#define LOGGED_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What it logs, without the times; static. */
static inline const char *
logged(void (*write_lines) (void))
{
	static char text[16384];
	char		line[8192];
	FILE	   *file = tmpfile();
	int			saved = dup(STDERR_FILENO);

	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	write_lines();
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);

	text[0] = '\0';
	rewind(file);
	while (fgets(line, sizeof(line), file) != NULL)
		strcat(text, strchr(line, ' ') + 1);
	fclose(file);
	return text;
}

#endif							/* LOGGED_H */
