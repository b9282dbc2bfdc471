/* unix_socket.c: Unix stream sockets.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/unix_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof ret->sun_path)
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static int connect_to(const char *path, int flags)
{
	struct sockaddr_un address;
	int fd, r = address_of(path, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int unix_socket_connect(const char *path)
{
	return connect_to(path, 0);
}

/* Whether somebody listens there, without waiting for it: -EAGAIN is one whose queue is full. 0 or 1, or -errno. */
static int is_in_use(const char *path)
{
	int fd = connect_to(path, SOCK_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EAGAIN ? 1 : fd == -ECONNREFUSED ? 0 : fd;
}

/* A socket file that nobody listens at is removed; anything else stays. */
static int remove_leftover(const char *path)
{
	struct stat st;
	int used;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	used = is_in_use(path);
	if (used != 0)
		return used > 0 ? -EADDRINUSE : used;
	return unlink(path) < 0 ? -errno : 0;
}

static const char *explain(int error)
{
	switch (-error) {
	case EADDRINUSE:
		return "another program listens there; is a presenced running already?";
	case EEXIST:
		return "there is a file that is not a socket";
	case ENOENT:
		return "its folder does not exist";
	case ENAMETOOLONG:
		return "the path is longer than 107 bytes, the most a Unix socket can have";
	default:
		return strerror(-error);
	}
}

static int give_to(const char *path, const char *group, int64_t mode)
{
	const struct group *g = group == NULL ? NULL : getgrnam(group);

	if (group != NULL && g == NULL)
		return -ESRCH;
	if (g != NULL && chown(path, (uid_t)-1, g->gr_gid) < 0)
		return -errno;
	return chmod(path, (mode_t)mode) < 0 ? -errno : 0;
}

int unix_socket_listen(const char *path, const char *group, int64_t mode, char *err, size_t err_size)
{
	struct sockaddr_un address;
	int fd = -1, r = address_of(path, &address);
	mode_t before;

	if (r == 0)
		r = remove_leftover(path);
	if (r == 0 && (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		r = -errno;
	before = umask(0177); /* nobody gets in before the mode is set */
	if (r == 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		r = -errno;
	umask(before);
	if (r < 0) {
		snprintf(err, err_size, "cannot listen at %s: %s", path, explain(r));
		if (fd >= 0)
			close(fd);
		return r;
	}
	r = give_to(path, group, mode);
	if (r == 0 && listen(fd, 128) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	snprintf(err, err_size, "cannot give %s to group %s with mode %04llo: %s", path, group == NULL ? "-" : group,
	    (unsigned long long)mode,
	    r == -EPERM	    ? "the service needs the group in SupplementaryGroups=" :
		r == -ESRCH ? "there is no such group" :
			      strerror(-r));
	unix_socket_close(fd, path);
	return r;
}

void unix_socket_close(int fd, const char *path)
{
	struct stat file;

	if (fd < 0)
		return;
	close(fd);
	/* somebody else may have taken the place */
	if (lstat(path, &file) == 0 && S_ISSOCK(file.st_mode) && is_in_use(path) == 0)
		unlink(path);
}

int unix_socket_accept(int fd)
{
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return peer < 0 ? -errno : peer;
}

struct unix_peer unix_socket_peer(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return (struct unix_peer){ -1, (uid_t)-1, (gid_t)-1 };
	return (struct unix_peer){ cred.pid, cred.uid, cred.gid };
}
