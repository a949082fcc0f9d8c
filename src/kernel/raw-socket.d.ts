/** The part of the package raw-socket (1.8.1, without types of its own) that we use. */
declare module "raw-socket" {
  export interface Socket {
    /** Errors of the poll; the package closes the socket after the listeners have run. */
    on(event: "error", listener: (error: Error) => void): this;
    /** A packet from its IP header on; the memory is used again. */
    on(event: "message", listener: (packet: Buffer, source: string) => void): this;
    /** A number is set as a 32-bit integer; a buffer with its length as it is. Throws strerror's text. */
    setOption(level: number, option: number, value: number): void;
    setOption(level: number, option: number, value: Buffer, length: number): void;
    /** Queued; never calls back once the socket is closed. */
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      callback: (error: Error | null, bytes: number) => void,
    ): this;
    pauseRecv(): this;
    pauseSend(): this;
    close(): this;
  }

  /** The module is CommonJS: its exports are the default import. */
  const rawSocket: {
    /** Throws strerror's text: "Operation not permitted" without CAP_NET_RAW. */
    createSocket(options: { protocol: number }): Socket;
  };
  export default rawSocket;
}
