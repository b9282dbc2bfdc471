/* unix_socket.h: listening Unix stream sockets, with owner, mode and no leftovers.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_UNIX_SOCKET_H
#define PRESENCED_UNIX_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Listen at `path`: a leftover of a program that is gone is removed, one in use is an error. `group` may be
 * NULL. Returns the descriptor (non-blocking, close-on-exec), or -errno with a sentence in err. */
int unix_socket_listen(const char *path, const char *group, int64_t mode, char *err, size_t err_size);

/* Close it and remove the file, if the file is still ours. fd -1 is fine. */
void unix_socket_close(int fd, const char *path);

/* Connect; returns a descriptor (blocking, close-on-exec) or -errno. */
int unix_socket_connect(const char *path);

/* Accept; non-blocking, close-on-exec. -EAGAIN: nobody waits. Else -errno. */
int unix_socket_accept(int fd);

/* Who is at the other end. -1 in each where the system does not say. */
struct unix_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};
struct unix_peer unix_socket_peer(int fd);

#endif
