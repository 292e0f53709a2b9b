/*
 * store_file.c
 *		The state record in a file of the folder that the records go to.
 *
 * Written beside itself and renamed, so a crash leaves the old one or the new
 * one, and never half of either.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

#define NAME_SIZE	(STATE_SLOT_SIZE + 16)

struct store_file
{
	struct store base;
	int			folder;			/* descriptor */
	char		name[NAME_SIZE];
	char		fresh[NAME_SIZE];	/* before it is renamed */
	enum store_progress progress;
};

static enum store_answer file_read(struct store *store, struct state *state,
								   bool make);
static void file_write(struct store *store, const char *text);
static enum store_progress file_drain(struct store *store);
static void file_poll_fd(const struct store *store, struct pollfd *fd);
static void file_close(struct store *store);

static bool read_record(const struct store_file *file, struct state *state,
						char **error);
static bool read_whole(int fd, char **data, size_t *len);
static bool is_superseded(const struct store_file *file, const char *text);
static bool replace(struct store_file *file, const char *text);
static bool write_whole(int fd, const char *text);
static bool forget(const struct store_file *file);

static const struct store_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.drain = file_drain,
	.poll_fd = file_poll_fd,
	.close = file_close,
};

/* The sink makes the folder as well, and later. */
struct store *
store_file_open(const struct config *config)
{
	struct store_file *file;
	int			folder;

	if (mkdir(config->sink_dir, 0750) != 0 && errno != EEXIST)
	{
		log_error("could not create folder \"%s\": %s", config->sink_dir,
				  strerror(errno));
		return NULL;
	}
	folder = open(config->sink_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
	{
		log_error("could not open folder \"%s\": %s", config->sink_dir,
				  strerror(errno));
		return NULL;
	}
	file = mem_zalloc(sizeof(*file));
	file->base.ops = &file_ops;
	file->folder = folder;
	snprintf(file->name, sizeof(file->name), "%s.state", config->slot);
	snprintf(file->fresh, sizeof(file->fresh), "%s.state.new", config->slot);
	file->base.where = mem_format("file \"%s/%s\"", config->sink_dir,
								  file->name);
	return &file->base;
}

static enum store_answer
file_read(struct store *store, struct state *state, bool make)
{
	char	   *error;

	(void) make;
	if (read_record((struct store_file *) store, state, &error))
		return STORE_FOUND;
	if (error == NULL)
		return STORE_NONE;
	log_error("the state record in %s cannot be used: %s", store->where,
			  error);
	log_hint("Find out what happened to it; \"wal2kafka drop --state\" goes "
			 "on without it.");
	free(error);
	return STORE_PERSON;
}

static void
file_write(struct store *store, const char *text)
{
	struct store_file *file = (struct store_file *) store;
	bool		done = text == NULL ? forget(file) :
		is_superseded(file, text) || replace(file, text);

	file->progress = done ? STORE_WRITTEN : STORE_FAILED;
	if (!done)
		snprintf(store->error, sizeof(store->error), "%s", strerror(errno));
}

static enum store_progress
file_drain(struct store *store)
{
	struct store_file *file = (struct store_file *) store;
	enum store_progress progress = file->progress;

	file->progress = STORE_IDLE;
	return progress;
}

static void
file_poll_fd(const struct store *store, struct pollfd *fd)
{
	(void) store;
	*fd = (struct pollfd) {-1, 0, 0};
}

static void
file_close(struct store *store)
{
	struct store_file *file = (struct store_file *) store;

	close(file->folder);
	free(file);
}

/* False with what is wrong, to be freed; or with NULL, if there is none. */
static bool
read_record(const struct store_file *file, struct state *state, char **error)
{
	int			fd = openat(file->folder, file->name,
							O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char	   *data = NULL;
	size_t		len = 0;
	bool		good;

	*error = NULL;
	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0 || !read_whole(fd, &data, &len))
		*error = mem_strdup(strerror(errno));
	good = *error == NULL && state_parse(state, data, len, error);
	if (fd >= 0)
		close(fd);
	free(data);
	return good;
}

/*
 * What is there promised more already, when another shipper took over while
 * this one was frozen: as in a topic, the later request does not count.
 */
static bool
is_superseded(const struct store_file *file, const char *text)
{
	struct state ours = {.snapshot = NULL};
	struct state theirs = {.snapshot = NULL};
	char	   *error = NULL;
	bool		good = read_record(file, &theirs, &error) &&
		state_parse(&ours, text, strlen(text), &error);

	free(error);
	state_free(&ours);
	state_free(&theirs);
	return good && !state_supersedes(&ours, &theirs);
}

/* A pipe or a device in its place must not keep us waiting. */
static bool
read_whole(int fd, char **data, size_t *len)
{
	struct stat stat;
	ssize_t		got;

	if (fstat(fd, &stat) != 0)
		return false;
	if (!S_ISREG(stat.st_mode) || stat.st_size > STORE_VALUE_MAX)
	{
		errno = EFBIG;
		return false;
	}
	*data = mem_alloc(STORE_VALUE_MAX);
	got = read(fd, *data, STORE_VALUE_MAX);
	*len = got > 0 ? (size_t) got : 0;
	return got >= 0;
}

static bool
replace(struct store_file *file, const char *text)
{
	int			fd = openat(file->folder, file->fresh,
							O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
							O_CLOEXEC, 0640);
	bool		done = fd >= 0 && write_whole(fd, text) && fsync(fd) == 0;
	int			saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return done &&
		renameat(file->folder, file->fresh, file->folder, file->name) == 0 &&
		fsync(file->folder) == 0;
}

static bool
write_whole(int fd, const char *text)
{
	size_t		left = strlen(text);

	while (left > 0)
	{
		ssize_t		done = write(fd, text, left);

		if (done < 0 && errno != EINTR)
			return false;
		if (done > 0)
		{
			text += done;
			left -= (size_t) done;
		}
	}
	return true;
}

static bool
forget(const struct store_file *file)
{
	if (unlinkat(file->folder, file->name, 0) != 0 && errno != ENOENT)
		return false;
	return fsync(file->folder) == 0;
}
