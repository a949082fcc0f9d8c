/**
 * What passes over the control socket: newline-delimited JSON, one response a request, in order. Space comes
 * ahead of a response that takes long.
 * Programs other than ours may speak it.
 */
import type { FailureCode } from "../net/failure.ts";

/** `{"command": "status", "tunnel": "ipipou0"}`: everything beside `command` is its arguments. */
export interface ControlRequest {
  readonly command: string;
  readonly [argument: string]: unknown;
}

export type ControlResponse =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { message: string; exitCode: FailureCode } };

/** Answered by the server itself: `{"pid": number}`. */
export const helloCommand = "hello";

/** Bytes of one request, line break included. */
export const longestRequest = 65_536;

export const defaultControlPath = "/run/ipipoud/control.sock";

/** Where a socket may lie: sun_path has 108 bytes, the last of which is 0 (unix(7)). */
export const longestControlPath = 107;
