/* Connects to a unix socket and prints the line it gets: what a web server does, in its domain. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char line[256];
	ssize_t length;
	int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof(address)) < 0) {
		printf("%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	length = read(descriptor, line, sizeof(line));
	return length > 0 && write(1, line, length) == length ? 0 : 1;
}
