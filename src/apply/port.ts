/** A free UDP port for a tunnel that only dials. */
import { createSocket } from "node:dgram";
import type { IpAddress } from "../net/address.ts";

/** The kernel chooses; it is free again when this resolves, and taken by the listener right after. */
export function choosePort(local: IpAddress | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, local, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
