/** Runs inside a namespace, for test/kernel/sysctl.test.ts: prints what it read before and after writing. */
import { readSysctl, writeSysctl } from "../../src/kernel/sysctl.ts";

const name = "net/ipv4/conf/d0.1/rp_filter";
const before = await readSysctl(name);
await writeSysctl(name, 2);
const after = await readSysctl(name);
const absent = await readSysctl("net/ipv4/conf/none0/rp_filter");
const refused = await writeSysctl("net/ipv4/ip_forward", "nonsense").then(
  () => undefined,
  (error: NodeJS.ErrnoException) => error.code,
);
console.log(JSON.stringify({ before, after, absent: absent ?? null, refused }));
