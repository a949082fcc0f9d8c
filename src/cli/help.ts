/** What --help prints. */
import { defaultControlPath } from "../daemon/protocol.ts";
import { defaultConfigPath } from "./arguments.ts";
import { exitCodes } from "./exit-codes.ts";

export function helpText(): string {
  const codes = exitCodes.map(([code, meaning]) => `  ${code}  ${meaning}`).join("\n");
  return `ipipoud: authenticated IPIP-over-UDP tunnels at kernel speed

  ipipoud [--config FILE]...          run in the foreground until SIGTERM or SIGINT;
                                      SIGHUP reloads, SIGUSR1 authenticates all dialled peers again
  ipipoud --check [--json]            what a start would do and what stands in its way;
                                      changes nothing
  ipipoud status [TUNNEL] [--json]    tunnels and peers of the running daemon; with --watch
                 [--watch[=SECONDS]]  again every second, with rates, until Ctrl-C
  ipipoud explain ADDRESS[:PORT] [--to TUNNEL] [--source INNER] [--json]
                                      what would happen now to packets from and to this outer or
                                      inner address, step by step, as the kernel has it
  ipipoud events [--json]             what happens, as it happens
  ipipoud reauth [TUNNEL[/PEER]]      authenticate to dialled peers again
  ipipoud forget TUNNEL/PEER          forget which packets of a peer were seen
  ipipoud reload [--confirm TIME]     read the configuration again and change what differs;
                                      with a TIME (60s) it goes back unless confirmed
  ipipoud confirm                     keep what was reloaded
  ipipoud cleanup                     remove what a dead daemon left in the kernel
  ipipoud keygen                      a new private key
  ipipoud pubkey                      the public key of the private key on standard input
  ipipoud import FILE... [-- OPTION...]
                                      files of ipipou 0.1, and its options, as a configuration
  ipipoud schema                      JSON Schema of the configuration

Options:
  --config FILE   YAML or JSON, or a folder of such files; may be given several times
                  (default ${defaultConfigPath})
  --control PATH  the running daemon's control socket, for all that asks it
                  (default: --config's, else ${defaultControlPath})
  --json          for programs
  -v, --verbose   more detail
  -h, --help      this text
  -V, --version   the version

Exit codes:
${codes}
`;
}
