/**
 * Who is connected to the control socket. It is never full for whoever comes next: those that follow a stream
 * may be three quarters, and of the others the one that has been silent longest makes room.
 */
import type { Socket } from "node:net";

interface Client {
  following: boolean;
  /** Requests that are being answered. */
  busy: number;
}

export class Clients {
  readonly #most: number;
  /** In the order in which they were last heard. */
  readonly #clients = new Map<Socket, Client>();

  constructor(most: number) {
    this.#most = most;
  }

  get mostFollowing(): number {
    return Math.floor((this.#most * 3) / 4);
  }

  /** False: all others are being answered just now. */
  add(socket: Socket): boolean {
    if (this.#clients.size >= this.#most && !this.#makeRoom()) return false;
    this.#clients.set(socket, { following: false, busy: 0 });
    socket.once("close", () => this.#clients.delete(socket));
    return true;
  }

  async answering(socket: Socket, answer: () => Promise<void>): Promise<void> {
    const client = this.#clients.get(socket);
    if (client === undefined) return;
    client.busy++;
    try {
      await answer();
    } finally {
      client.busy--;
      if (this.#clients.delete(socket)) this.#clients.set(socket, client);
    }
  }

  /** False: as many as may do follow already. */
  follow(socket: Socket): boolean {
    const following = [...this.#clients.values()].filter((client) => client.following).length;
    const client = this.#clients.get(socket);
    if (client === undefined || following >= this.mostFollowing) return false;
    client.following = true;
    return true;
  }

  end(): void {
    for (const socket of this.#clients.keys()) socket.destroy();
  }

  #makeRoom(): boolean {
    for (const [socket, { following, busy }] of this.#clients) {
      if (following || busy > 0) continue;
      this.#clients.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}
