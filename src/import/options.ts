/**
 * Every option of ipipou 0.1: its spelling, what it takes, and its place here. The one table of them:
 * the reader knows no other spellings, and docs/coming-from-ipipou.md has a row for each of these.
 */

/** What an option sets; several may set the same, and the last one given holds. */
export type Field =
  | "version"
  | "help"
  | "config"
  | "verbosity"
  | "level"
  | "mode"
  | "number"
  | "queueNumber"
  | "byRemoteIp"
  | "byRemotePort"
  | "token"
  | "privateKey"
  | "publicKey"
  | "keyType"
  | "secret"
  | "keygen"
  | "timeDiscrepancy"
  | "local"
  | "localIp"
  | "localIpAlt"
  | "forceLocalIpAlt"
  | "localPort"
  | "remote"
  | "remoteIp"
  | "remotePort"
  | "device"
  | "interface"
  | "innerIp"
  | "innerPeerIp"
  | "queueLength"
  | "checksum"
  | "counters"
  | "table"
  | "reauthOnly"
  | "authTtl"
  | "authLifetime"
  | "keepalive"
  | "reply"
  | "logTime"
  | "logPid";

export interface OldOption {
  /** As on a command line; the last is the one in which we speak of it. */
  readonly names: readonly [string, ...string[]];
  readonly field: Field;
  readonly takes: "nothing" | "text" | "number" | "address" | "base64";
  /** Its place here, as the documentation says it. */
  readonly here: string;
  /** It has no key here, and why nobody misses it. */
  readonly notNeeded?: string;
  /** ipipou 0.1 itself made nothing of it in this mode. */
  readonly notUsed?: { readonly mode: "client" | "server"; readonly why: string };
  /** It makes no tunnel, but does something else and ends: what does that here. */
  readonly instead?: string;
}

export const oldOptions: readonly OldOption[] = [
  {
    names: ["-h", "--help"],
    field: "help",
    takes: "nothing",
    here: "`ipipoud --help`",
    instead: "`ipipoud --help`",
  },
  {
    names: ["--version"],
    field: "version",
    takes: "nothing",
    here: "`ipipoud --version`",
    instead: "`ipipoud --version`",
  },
  {
    names: ["--config"],
    field: "config",
    takes: "text",
    here: "`ipipoud import FILE…`, or behind `--` as it was",
    notNeeded: "ipipou 0.1 reads no file that is named like this",
  },
  { names: ["-v"], field: "verbosity", takes: "nothing", here: "`log.level`" },
  { names: ["--verb"], field: "level", takes: "number", here: "`log.level`" },
  {
    names: ["-c", "--client"],
    field: "mode",
    takes: "nothing",
    here: "a peer with an `endpoint`",
  },
  {
    names: ["-s", "--server"],
    field: "mode",
    takes: "nothing",
    here: "a peer that is waited for: without `endpoint`, or with a pin",
  },
  {
    names: ["-n", "--number"],
    field: "number",
    takes: "number",
    here: "the tunnel's name (`ipipouN`), the port in `listen` (10000+N), a server's `address` (172.28.0.0+2N)",
  },
  {
    names: ["-q", "--queue-number"],
    field: "queueNumber",
    takes: "number",
    here: "`queue.number`, one for all tunnels",
    notUsed: { mode: "client", why: "a client had no queue" },
  },
  {
    names: ["--auth-by-remote-ip"],
    field: "byRemoteIp",
    takes: "nothing",
    here: "`pinAddress: true`",
    notUsed: { mode: "client", why: "a client looked at no packet" },
  },
  {
    names: ["--auth-by-remote-port"],
    field: "byRemotePort",
    takes: "nothing",
    here: "`pinPort: true`",
    notUsed: { mode: "client", why: "a client looked at no packet" },
  },
  { names: ["--auth-token"], field: "token", takes: "text", here: "`token`" },
  { names: ["--auth-token-b64"], field: "token", takes: "base64", here: "`tokenBase64`" },
  { names: ["--auth-key-b64"], field: "privateKey", takes: "base64", here: "`privateKey`" },
  {
    names: ["--auth-remote-pubkey-b64"],
    field: "publicKey",
    takes: "base64",
    here: "`publicKey`",
  },
  {
    names: ["--auth-key-type"],
    field: "keyType",
    takes: "text",
    here: "not needed: keys are ed25519, as they were",
    notNeeded: "not needed: keys are ed25519",
  },
  {
    names: ["--auth-secret"],
    field: "secret",
    takes: "text",
    here: "`secret`; the old default `netprickle.com` is written out",
  },
  {
    names: ["--auth-keygen"],
    field: "keygen",
    takes: "nothing",
    here: "`ipipoud keygen` and `ipipoud pubkey`",
    instead: "`ipipoud keygen` and `ipipoud pubkey`",
  },
  {
    names: ["--auth-max-time-discrepancy"],
    field: "timeDiscrepancy",
    takes: "number",
    here: "`maxClockSkew`",
    notUsed: { mode: "client", why: "a client looked at no packet" },
  },
  { names: ["-b", "--fou-local"], field: "local", takes: "text", here: "`listen`" },
  { names: ["--fou-local-ip"], field: "localIp", takes: "address", here: "`listen`, its address" },
  {
    names: ["--fou-local-ip-alt"],
    field: "localIpAlt",
    takes: "address",
    here: "not needed: peers behind one address need no second address of ours",
    notNeeded: "not needed: peers behind one address need no second address of ours",
  },
  {
    names: ["--force-fou-local-ip-alt"],
    field: "forceLocalIpAlt",
    takes: "nothing",
    here: "not needed: peers behind one address need no second address of ours",
    notNeeded: "not needed: peers behind one address need no second address of ours",
  },
  { names: ["--fou-local-port"], field: "localPort", takes: "number", here: "`listen`, its port" },
  { names: ["-r", "--fou-remote"], field: "remote", takes: "text", here: "`endpoint`" },
  {
    names: ["--fou-remote-ip"],
    field: "remoteIp",
    takes: "address",
    here: "`endpoint`, its host",
  },
  {
    names: ["--fou-remote-port"],
    field: "remotePort",
    takes: "number",
    here: "`endpoint`, its port",
  },
  { names: ["--fou-dev"], field: "device", takes: "text", here: "`listen`, its device" },
  {
    names: ["--tunl-dev"],
    field: "interface",
    takes: "text",
    here: "the tunnel's name, or `interface`",
  },
  { names: ["--tunl-ip"], field: "innerIp", takes: "address", here: "`address`, its `local`" },
  {
    names: ["--tunl-peer-ip"],
    field: "innerPeerIp",
    takes: "address",
    here: "`address`, its `peer`; `allowedIPs` takes networks, too",
  },
  {
    names: ["--nfq-max-len"],
    field: "queueLength",
    takes: "number",
    here: "`queue.maxLength`, one for all tunnels",
    notUsed: { mode: "client", why: "a client had no queue" },
  },
  { names: ["--no-encap-csum"], field: "checksum", takes: "nothing", here: "`checksum: false`" },
  { names: ["--encap-csum"], field: "checksum", takes: "nothing", here: "`checksum: true`" },
  {
    names: ["--no-nft-counter"],
    field: "counters",
    takes: "nothing",
    here: "`counters: false`, which is the default",
    notUsed: { mode: "client", why: "a client had no rules" },
  },
  { names: ["--nft-table"], field: "table", takes: "text", here: "`table`, one for all tunnels" },
  {
    names: ["--reauth-only"],
    field: "reauthOnly",
    takes: "nothing",
    here: "`ipipoud reauth`",
    instead: "`ipipoud reauth`, beside the daemon",
  },
  { names: ["--auth-packet-ttl"], field: "authTtl", takes: "number", here: "`authTtl`" },
  {
    names: ["--auth-lifetime"],
    field: "authLifetime",
    takes: "number",
    here: "`authLifetime`",
    notUsed: { mode: "client", why: "a client looked at no packet" },
  },
  {
    names: ["--keepalive"],
    field: "keepalive",
    takes: "number",
    here: "`keepalive`; the old default 0 is written out",
    notUsed: { mode: "server", why: "only a client sent keepalives" },
  },
  {
    names: ["--reply-on-auth-ok"],
    field: "reply",
    takes: "nothing",
    here: "`replyOnAuth: true`",
    notUsed: { mode: "client", why: "only a server replied" },
  },
  {
    names: ["--no-log-time"],
    field: "logTime",
    takes: "nothing",
    here: "not needed: the log has no times of its own, but in `log.format: json`",
    notNeeded: "not needed: lines of the log have no time of their own",
  },
  {
    names: ["--no-log-pid"],
    field: "logPid",
    takes: "nothing",
    here: "not needed: the log has no process numbers",
    notNeeded: "not needed: lines of the log have no process number",
  },
];

/** As a file spells it, and as we speak of it: without hyphens before it. */
export function nameOf(option: OldOption): string {
  return (option.names.at(-1) ?? "").replace(/^-+/, "");
}
