/**
 * npm's install script: builds the addon, and the one of raw-socket.
 *
 *   node native/install.mjs              build/Release/ipipoud.node
 *   node native/install.mjs --sanitize   the sanitizer build; prints where it is
 */
import process from "node:process";
import {
  BuildError,
  buildAddon,
  buildRawSocket,
  buildSanitizedAddon,
  sanitizedAddon,
} from "./build.mjs";

try {
  if (process.argv.includes("--sanitize")) {
    buildSanitizedAddon();
    console.log(sanitizedAddon);
  } else {
    buildAddon();
    buildRawSocket();
  }
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
