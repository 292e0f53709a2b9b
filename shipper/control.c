/*
 * control.c
 *		The socket that commands reach the running shipper through.
 *
 * The path may be taken away, or be another's for a while: it is looked at
 * every few seconds.  Nothing about it ever stops a shipper that ships.
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"

#define DEFAULT_FOLDER	"/run/wal2kafka"
#define LOOK_MS			5000	/* between looks at the path */
#define PAUSE_MS		1000	/* when no client can be taken */

/* What the path is before we have it. */
enum path_state
{
	PATH_UNKNOWN,
	PATH_FREE,
	PATH_TAKEN,					/* a living process answers there */
	PATH_UNFIT,					/* errno says why; 0: it is no socket */
};

struct control
{
	char	   *path;			/* owned; NULL: no socket is wanted */
	int			fd;				/* listens; -1: not now */
	dev_t		device;			/* of what we made at the path */
	ino_t		inode;
	int64_t		look_at;		/* ms; at the path */
	int64_t		accept_at;		/* ms; not before */
	enum path_state told;		/* what was logged last */
	struct control_link links[CONTROL_CLIENTS];
};

static bool is_usable_default(void);
static enum path_state try_listen(struct control *control);
static enum path_state clear_path(const char *path);
static enum path_state probe(const char *path);
static struct sockaddr_un path_address(const char *path);
static bool listen_at(struct control *control);
static void tell(struct control *control, enum path_state state, int error);
static void look(struct control *control);
static bool is_ours(const struct control *control);
static void accept_one(struct control *control);
static struct control_link *room(struct control *control);
static bool may_ask(int fd);
static void leave(struct control *control);

char *
control_path(const struct config *config)
{
	if (strcmp(config->control, "none") == 0)
		return NULL;
	if (*config->control != '\0')
		return mem_strdup(config->control);
	return mem_format(DEFAULT_FOLDER "/%s.sock", config->slot);
}

struct control *
control_open(const struct config *config)
{
	struct control *control = mem_zalloc(sizeof(*control));
	bool		is_default = *config->control == '\0';
	enum path_state state;

	control->fd = -1;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control->links[i].fd = -1;
	if (is_default && !is_usable_default())
		return control;
	control->path = control_path(config);
	if (control->path == NULL)
		return control;

	state = try_listen(control);
	if (state != PATH_UNFIT || is_default)
		return control;
	log_hint("Set \"control\" to a path in a folder that this user may write "
			 "to, or to none.");
	control_close(control);
	return NULL;
}

static bool
is_usable_default(void)
{
	return access(DEFAULT_FOLDER, W_OK | X_OK) == 0;
}

void
control_poll(const struct control *control, struct pollfd *fds)
{
	bool		accepts = control->fd >= 0 && clock_ms() >= control->accept_at;

	fds[0] = (struct pollfd) {accepts ? control->fd : -1, POLLIN, 0};
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		fds[1 + i] = control_link_poll(&control->links[i]);
}

void
control_serve(struct control *control, const struct pollfd *fds,
			  control_handler handler, void *context)
{
	if (control->path == NULL)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control_link_serve(&control->links[i], fds[1 + i].revents, handler,
						   context);
	if (fds[0].revents != 0)
		accept_one(control);
	if (metrics.standby)
		leave(control);
	else if (clock_ms() >= control->look_at)
		look(control);
}

void
control_close(struct control *control)
{
	if (control == NULL)
		return;
	leave(control);
	free(control->path);
	free(control);
}

/* --- the path --------------------------------------------------------- */

/* Logs what is new about it. */
static enum path_state
try_listen(struct control *control)
{
	enum path_state state;

	errno = 0;
	state = clear_path(control->path);
	if (state == PATH_FREE && !listen_at(control))
		state = errno == EADDRINUSE ? PATH_TAKEN : PATH_UNFIT;
	if (state != control->told)
		tell(control, state, errno);
	control->told = state;
	control->look_at = clock_ms() + LOOK_MS;
	return state;
}

/* What a process that was killed left behind is removed; nothing else is. */
static enum path_state
clear_path(const char *path)
{
	struct stat stat;

	if (lstat(path, &stat) != 0)
		return errno == ENOENT ? PATH_FREE : PATH_UNFIT;
	if (!S_ISSOCK(stat.st_mode))
	{
		errno = 0;
		return PATH_UNFIT;
	}
	return probe(path);
}

/* A process that is stopped or busy answers, too: its backlog takes us. */
static enum path_state
probe(const char *path)
{
	struct sockaddr_un address = path_address(path);
	int			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
							SOCK_CLOEXEC, 0);
	int			error = 0;

	if (fd < 0)
		return PATH_UNFIT;
	if (connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		error = errno;
	close(fd);
	errno = error;
	if (error == 0 || error == EAGAIN || error == EINPROGRESS)
		return PATH_TAKEN;
	if (error == ENOENT)
		return PATH_FREE;
	if (error != ECONNREFUSED)
		return PATH_UNFIT;
	return unlink(path) == 0 || errno == ENOENT ? PATH_FREE : PATH_UNFIT;
}

/* config_check() sees to its length. */
static struct sockaddr_un
path_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return address;
}

/* Never open to others, not even for a moment. */
static bool
listen_at(struct control *control)
{
	struct sockaddr_un address = path_address(control->path);
	int			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
							SOCK_CLOEXEC, 0);
	mode_t		mask;
	struct stat stat;
	bool		bound;
	int			error;

	if (fd < 0)
		return false;
	mask = umask(0177);
	bound = bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0;
	error = errno;
	umask(mask);
	errno = error;
	if (!bound || lstat(control->path, &stat) != 0 ||
		listen(fd, CONTROL_CLIENTS) != 0)
	{
		error = errno;
		close(fd);
		errno = error;
		return false;
	}
	control->fd = fd;
	control->device = stat.st_dev;
	control->inode = stat.st_ino;
	return true;
}

static void
tell(struct control *control, enum path_state state, int error)
{
	switch (state)
	{
		case PATH_UNKNOWN:
			break;
		case PATH_FREE:
			log_info("commands are taken at \"%s\"", control->path);
			break;
		case PATH_TAKEN:
			log_warning("another process takes commands at \"%s\": they do "
						"not reach this one until that has ended",
						control->path);
			break;
		case PATH_UNFIT:
			log_error("no commands can be taken at \"%s\": %s", control->path,
					  error != 0 ? strerror(error) :
					  "what is there is no socket");
			break;
	}
}

/* Somebody may have removed it, or be gone who had it. */
static void
look(struct control *control)
{
	if (control->fd >= 0 && is_ours(control))
	{
		control->look_at = clock_ms() + LOOK_MS;
		return;
	}
	if (control->fd >= 0)
	{
		log_warning("the socket \"%s\" was removed or replaced",
					control->path);
		leave(control);
	}
	try_listen(control);
}

static bool
is_ours(const struct control *control)
{
	struct stat stat;

	return control->fd >= 0 && lstat(control->path, &stat) == 0 &&
		stat.st_dev == control->device && stat.st_ino == control->inode;
}

/* Gives up path and clients. */
static void
leave(struct control *control)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control_link_drop(&control->links[i]);
	if (control->fd < 0)
		return;
	if (is_ours(control))
		unlink(control->path);
	close(control->fd);
	control->fd = -1;
	control->look_at = 0;
	control->told = PATH_UNKNOWN;
}

/* --- clients ---------------------------------------------------------- */

static void
accept_one(struct control *control)
{
	int			fd = accept4(control->fd, NULL, NULL,
							 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && may_ask(fd))
		control_link_begin(room(control), fd);
	else if (fd >= 0)
		control_link_refuse(room(control), fd);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		control->accept_at = clock_ms() + PAUSE_MS;	/* descriptors, memory */
}

/* Where all are taken, the one that has kept us waiting longest goes. */
static struct control_link *
room(struct control *control)
{
	struct control_link *oldest = &control->links[0];

	for (int i = 0; i < CONTROL_CLIENTS; i++)
	{
		if (control->links[i].fd < 0)
			return &control->links[i];
		if (control->links[i].deadline < oldest->deadline)
			oldest = &control->links[i];
	}
	control_link_drop(oldest);
	return oldest;
}

/* The file's mode keeps others out; should somebody have widened it, this. */
static bool
may_ask(int fd)
{
	struct ucred peer;
	socklen_t	size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
		(peer.uid == 0 || peer.uid == geteuid());
}
