/** What is sent and what comes back, as values: making one sends nothing. */

export interface Request {
  /** For errors and logs: `RTM_NEWLINK ipipou0`. */
  readonly operation: string;
  /** nlmsg_type. */
  readonly type: number;
  /** NLM_F_* beside NLM_F_REQUEST: the connection adds that, ACK and the sequence number. */
  readonly flags: number;
  /** What follows nlmsghdr: a fixed struct and attributes. */
  readonly payload: Uint8Array;
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Of a notification: the socket (nlmsg_pid) of whoever brought it about; 0: the kernel by itself. */
  readonly port?: number;
  /** What follows nlmsghdr, in memory that nothing writes to again. */
  readonly payload: Buffer;
}
