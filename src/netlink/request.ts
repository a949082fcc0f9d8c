/** What is sent and what comes back, as values: making one sends nothing. */
import type { AttributeTable, Shape, Values } from "./attributes.ts";

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

/** A request of which there are hundreds of thousands: its bytes are made where they go. */
export abstract class TableRequest<S extends Shape> implements Request {
  abstract readonly operation: string;
  readonly type: number;
  readonly flags: number;
  /** Bytes of the payload. */
  readonly size: number;
  readonly #table: AttributeTable<S>;
  readonly #values: Values<S>;
  readonly #header: number;

  /** @param header Bytes of the fixed struct, a multiple of 4. */
  constructor(
    type: number,
    flags: number,
    table: AttributeTable<S>,
    values: Values<S>,
    header: number,
  ) {
    this.type = type;
    this.flags = flags;
    this.#table = table;
    this.#values = values;
    this.#header = header;
    this.size = header + table.size(values);
  }

  get payload(): Uint8Array {
    const bytes = Buffer.alloc(this.size);
    this.write(bytes, 0);
    return bytes;
  }

  /** `into` is zeroed there. */
  write(into: Buffer, at: number): void {
    this.writeHeader(into, at);
    this.#table.write(this.#values, into, at + this.#header);
  }

  protected abstract writeHeader(into: Buffer, at: number): void;
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
