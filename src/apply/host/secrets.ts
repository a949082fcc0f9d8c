/** Where the configuration's secrets are kept. Pure. */
import type { Configuration } from "../../config/model.ts";
import type { Secret } from "../../config/secret.ts";

/** Files that hold one: those that secrets were read from, and the configuration's own where one stands in it. */
export function secretFiles(
  { tunnels }: Configuration,
  configurationFiles: readonly string[],
): Set<string> {
  const files = new Set<string>();
  let inline = false;
  const note = (secret: Secret): void => {
    if (secret.file !== undefined) files.add(secret.file);
    else if (secret.length > 0) inline = true;
  };
  for (const { peers } of tunnels) {
    for (const { secret, proof, identity } of peers) {
      note(secret);
      if (proof.kind === "token") note(proof.token);
      if (identity.kind === "token") note(identity.token);
      if (identity.kind === "key") note(identity.seed);
    }
  }
  if (inline) for (const file of configurationFiles) files.add(file);
  return files;
}
