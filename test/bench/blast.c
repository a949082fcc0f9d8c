/*
 * Sends UDP datagrams as fast as they go, or receives them without ever reading:
 *
 *   blast sink ADDRESS PORT               says "ready", then only exists
 *   blast send ADDRESS PORT SIZE COUNT    SIZE bytes of payload each; prints nanoseconds and datagrams
 *
 * Under QEMU's icount a nanosecond is an instruction, so what it prints is a count of instructions.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

static long long now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv) {
	if (argc < 4) errx(2, "usage: blast sink ADDRESS PORT | blast send ADDRESS PORT SIZE COUNT");
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[3])) };
	if (inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) errx(2, "%s: no address", argv[2]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0) err(1, "socket");

	if (strcmp(argv[1], "sink") == 0) {
		if (bind(fd, (struct sockaddr *)&address, sizeof address)) err(1, "bind");
		puts("ready");
		fflush(stdout);
		for (;;) pause();
	}

	if (argc != 6) errx(2, "send wants SIZE and COUNT");
	int size = atoi(argv[4]), count = atoi(argv[5]), sent = 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof address)) err(1, "connect");
	struct iovec part = { .iov_base = calloc(1, size), .iov_len = size };
	struct mmsghdr batch[BATCH];
	memset(batch, 0, sizeof batch);
	for (int i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &part;
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	long long start = now();
	while (sent < count) {
		int left = count - sent;
		int done = sendmmsg(fd, batch, left < BATCH ? left : BATCH, 0);
		if (done < 0 && errno != ENOBUFS) err(1, "sendmmsg");
		if (done > 0) sent += done;
	}
	long long end = now();
	printf("%lld %d\n", end - start, sent);
	return 0;
}
