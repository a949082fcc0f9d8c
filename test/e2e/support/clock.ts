/**
 * A wall clock of a process's own, that a test sets: a small library in front of libc's. The machine's
 * clock stays as it is.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../lab/run.ts";

const source = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *ahead;

__attribute__((constructor)) static void open_clock(void) {
  int file = open(getenv("CLOCK_AHEAD"), O_RDONLY);
  void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
  if (at != MAP_FAILED) ahead = at;
}

int clock_gettime(clockid_t which, struct timespec *now) {
  int result = syscall(SYS_clock_gettime, which, now);
  if (result == 0 && ahead && which == CLOCK_REALTIME) now->tv_sec += *ahead;
  return result;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
`;

export class WallClock {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<WallClock> {
    const folder = await mkdtemp(join(tmpdir(), "clock-"));
    const clock = new WallClock(folder);
    await clock.set(0);
    const code = join(folder, "clock.c");
    await writeFile(code, source);
    await run("cc", ["-shared", "-fPIC", "-O1", "-o", join(folder, "clock.so"), code]);
    return clock;
  }

  /** Of a process that shall have this clock. */
  get environment(): Record<string, string> {
    const { LD_PRELOAD, CLOCK_AHEAD } = {
      LD_PRELOAD: join(this.#folder, "clock.so"),
      CLOCK_AHEAD: join(this.#folder, "ahead"),
    };
    return { LD_PRELOAD, CLOCK_AHEAD };
  }

  /** Seconds before (or behind) the machine's. */
  async set(ahead: number): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ahead));
    await writeFile(join(this.#folder, "ahead"), bytes, { flag: "r+" }).catch(() =>
      writeFile(join(this.#folder, "ahead"), bytes),
    );
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
