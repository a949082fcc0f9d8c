/*
 * A stranger's flood: UDP packets to one port, at a rate, until it is ended; says how many it has sent.
 *
 *   flood DESTINATION PORT RATE SOURCE COUNT SOURCEPORT [LENGTH]
 *
 * From COUNT addresses beginning with SOURCE, and from SOURCEPORT (0: from any). Of ten packets seven cost a
 * verification (73 bytes, a time that is now's, a scalar in range), one lacks the scalar, one the time as well,
 * and one is of any length. With LENGTH they are heartbeats instead: eight as long as that, one empty, one of any
 * length.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROOF = 73, TIME = 64, LONGEST = 1200, BATCH = 64, TICK = 5000000 };

static volatile sig_atomic_t over;
static void end(int signal) { (void)signal; over = 1; }

static uint64_t state = 0x9e3779b97f4a7c15;
static uint64_t chance(void) {
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static long long now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void some(uint8_t *payload, int size) {
	for (int at = 0; at < size; at += 8) {
		uint64_t random = chance();
		memcpy(payload + at, &random, size - at < 8 ? size - at : 8);
	}
}

static int beat(uint8_t *payload, long long i, int length) {
	int kind = i % 10;
	int size = kind == 0 ? (int)(chance() % LONGEST) : kind == 1 ? 0 : length;
	some(payload, size);
	return size;
}

static int fill(uint8_t *payload, long long i) {
	int kind = i % 10;
	int size = kind == 0 ? (int)(chance() % LONGEST) : PROOF;
	some(payload, size);
	if (kind >= 2) {
		uint32_t seconds = htonl(time(NULL));
		payload[TIME] = 0;
		memcpy(payload + TIME + 1, &seconds, 4);
	}
	if (kind >= 3) payload[TIME - 1] &= 0x0f;
	return size;
}

static struct packet {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[LONGEST + 8];
} packets[BATCH];

int main(int argc, char **argv) {
	if (argc != 7 && argc != 8) errx(2, "usage: flood DESTINATION PORT RATE SOURCE COUNT SOURCEPORT [LENGTH]");
	long long rate = atoll(argv[3]), count = atoll(argv[5]), sent = 0;
	int port = atoi(argv[6]), length = argc == 8 ? atoi(argv[7]) : -1;
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct in_addr first;
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) errx(2, "%s: no address", argv[1]);
	if (inet_pton(AF_INET, argv[4], &first) != 1) errx(2, "%s: no address", argv[4]);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) err(1, "socket");
	signal(SIGTERM, end);
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	for (int i = 0; i < BATCH; i++) {
		struct packet *one = packets + i;
		one->ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 60, .protocol = IPPROTO_UDP };
		one->ip.daddr = to.sin_addr.s_addr;
		one->udp.dest = htons(atoi(argv[2]));
		parts[i].iov_base = one;
		messages[i].msg_hdr = (struct msghdr){ &to, sizeof to, parts + i, 1, NULL, 0, 0 };
	}
	puts("open");
	fflush(stdout);
	long long start = now();
	while (!over) {
		/* What could not be sent in time is not made up for. */
		long long due = (now() - start) * rate / 1000000000LL;
		if (due - sent > rate / 10) {
			start += (due - sent - rate / 10) * 1000000000LL / rate;
			due = sent + rate / 10;
		}
		while (sent < due) {
			int many = due - sent < BATCH ? (int)(due - sent) : BATCH;
			for (int i = 0; i < many; i++, sent++) {
				struct packet *one = packets + i;
				int size = length >= 0 ? beat(one->payload, sent, length) : fill(one->payload, sent);
				one->ip.saddr = htonl(ntohl(first.s_addr) + (uint32_t)(chance() % count));
				one->udp.source = htons(port != 0 ? port : 1024 + (int)(chance() % 60000));
				one->udp.len = htons(sizeof one->udp + size);
				parts[i].iov_len = sizeof one->ip + sizeof one->udp + size;
			}
			sendmmsg(fd, messages, many, 0);
		}
		nanosleep(&(struct timespec){ .tv_nsec = TICK }, NULL);
	}
	printf("sent %lld\n", sent);
	return 0;
}
