/** Reproducible randomness for fuzzing. */

/** Numbers from 0 to limit − 1, the same for the same seed (mulberry32). */
export type Random = (limit: number) => number;

export function random(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

export function randomBytes(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = random(256);
  return bytes;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

const INTERESTING = [0, 1, 3, 4, 5, 7, 8, 15, 16, 17, 0x7f, 0x80, 0xff];

/** A copy with a few bytes changed, pieces cut out, doubled or appended. */
export function mutated(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes);
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(result.length + 1);
    switch (random(8)) {
      case 0:
        result = result.subarray(0, at);
        break;
      case 1:
        result = Buffer.concat([result, randomBytes(random, random(40))]);
        break;
      case 2: {
        const piece = result.subarray(at, at + random(40));
        result = Buffer.concat([result.subarray(0, at), piece, result.subarray(at)]);
        break;
      }
      case 3:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + random(20))]);
        break;
      default:
        if (at < result.length) {
          result[at] = random(2) === 0 ? random(256) : pick(random, INTERESTING);
        }
    }
  }
  return result;
}
