/*
 * folder.c
 *		The folder of "sink = file:DIR": a file for each topic.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static bool cut_torn_line(int fd, const char *topic);

int
folder_open(const char *path)
{
	int			fd;

	if (mkdir(path, 0750) != 0 && errno != EEXIST)
	{
		log_error("could not create folder \"%s\": %s", path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_error("could not open folder \"%s\": %s", path, strerror(errno));
	return fd;
}

/* Legal topic names have no slash, but a config's route is not trusted. */
int
folder_topic(int folder, const char *topic)
{
	char		path[NAME_MAX + 1];
	int			fd = -1;

	if (strchr(topic, '/') != NULL ||
		snprintf(path, sizeof(path), "%s.jsonl", topic) >= (int) sizeof(path))
	{
		log_error("topic \"%s\" makes no file name", topic);
		return -1;
	}
	fd = openat(folder, path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		log_error("could not open file \"%s\": %s", path, strerror(errno));
	else if (!cut_torn_line(fd, topic) || fsync(folder) != 0)
	{
		log_error("could not prepare file \"%s\": %s", path, strerror(errno));
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A crash may have left half a line, which was not confirmed. */
static bool
cut_torn_line(int fd, const char *topic)
{
	char		block[4096];
	off_t		end = lseek(fd, 0, SEEK_END);
	off_t		keep = end;

	while (keep > 0)
	{
		size_t		len = keep > (off_t) sizeof(block) ? sizeof(block) :
			(size_t) keep;
		ssize_t		got = pread(fd, block, len, keep - (off_t) len);
		const char *newline;

		if (got != (ssize_t) len)
			return false;
		newline = memrchr(block, '\n', len);
		if (newline != NULL)
		{
			keep -= (off_t) len - (newline + 1 - block);
			break;
		}
		keep -= (off_t) len;
	}
	if (keep == end)
		return end >= 0;
	log_warning("cut %lld bytes of a torn line off the file of topic \"%s\"",
				(long long) (end - keep), topic);
	return ftruncate(fd, keep) == 0;
}
