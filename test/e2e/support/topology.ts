/**
 * Hosts as network namespaces, wired as the Internet is seen from a tunnel:
 *
 *   client 192.0.2.2 ── 192.0.2.1 NAT router 198.51.100.2 ── the Internet ── server 203.0.113.1
 *
 * and more clients, more NAT routers (all with 192.0.2.0/24 inside, as at people's homes), and
 * strangers with a public address, as a test wants them. The Internet is a router with a bridge:
 * 198.51.100.1 and 203.0.113.254.
 *
 * Every name of a namespace begins with the topology's own prefix, so several may stand at once.
 */
import { run } from "../../lab/run.ts";
import { Host } from "./host.ts";
import { NatRouter } from "./nat.ts";

/** Namespaces that this process made and has not removed: names must not come twice. */
let made = 0;

export class Topology {
  readonly internet: Host;
  readonly server: Host;
  readonly nat: NatRouter;
  readonly client: Host;
  readonly #prefix: string;
  readonly #hosts: Host[] = [];
  readonly #clients = new Map<NatRouter, number>();
  #nats = 0;
  #strangers = 0;

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.internet = this.#host("internet", "198.51.100.1", "public");
    this.server = this.#host("server", "203.0.113.1", "eth0");
    this.nat = this.#newNat();
    this.client = this.#newClient(this.nat);
  }

  /** Builds client — NAT — server. */
  static async create(): Promise<Topology> {
    made++;
    const topology = new Topology(`l${process.pid}x${made}-`);
    const { internet, server, nat, client } = topology;
    await addNamespaces(internet, server, nat, client);
    await topology.#inside(internet, [
      "link set lo up",
      bridge("public"),
      "addr add 198.51.100.1/24 dev public",
      "addr add 203.0.113.254/24 dev public",
      "link set public up",
      ...topology.#publicLink(server),
      ...topology.#publicLink(nat),
    ]);
    await topology.#sysctl(internet, [
      "ip_forward=1",
      "conf/all/send_redirects=0",
      "conf/public/send_redirects=0",
    ]);
    await topology.#inside(server, publicSide("203.0.113.1/24", "203.0.113.254"));
    await topology.#buildNat(nat, client);
    await topology.#buildClient(client);
    return topology;
  }

  /** Another NAT router with its own public address; no client is behind it yet. */
  async addNat(): Promise<NatRouter> {
    const nat = this.#newNat();
    await addNamespaces(nat);
    await this.#inside(this.internet, this.#publicLink(nat));
    await this.#buildNat(nat);
    return nat;
  }

  /** Another client behind this NAT router (default: the first). */
  async addClient(nat: NatRouter = this.nat): Promise<Host> {
    const client = this.#newClient(nat);
    await addNamespaces(client);
    await this.#inside(nat, clientLink(client));
    await this.#buildClient(client);
    return client;
  }

  /** A host with a public address of its own, 198.51.100.50 and following; or one that a test chooses from 198.51.100.0/24. */
  async addStranger(address = `198.51.100.${50 + this.#strangers}`): Promise<Host> {
    this.#strangers++;
    const stranger = this.#host(`stranger${this.#strangers}`, address, "eth0");
    await addNamespaces(stranger);
    await this.#inside(this.internet, this.#publicLink(stranger));
    await this.#inside(stranger, publicSide(`${address}/24`, "198.51.100.1"));
    return stranger;
  }

  /** Deletes the namespaces; whatever still runs in them keeps an empty one alive until it ends. */
  async remove(): Promise<void> {
    await batch(this.#hosts.map((host) => `netns del ${host.namespace}`));
    this.#hosts.length = 0;
  }

  #host(name: string, address: string, device: string): Host {
    const host = new Host(name, this.#prefix + name, address, device);
    this.#hosts.push(host);
    return host;
  }

  #newNat(): NatRouter {
    this.#nats++;
    const name = this.#nats === 1 ? "nat" : `nat${this.#nats}`;
    const nat = new NatRouter(name, this.#prefix + name, `198.51.100.${1 + this.#nats}`);
    this.#hosts.push(nat);
    return nat;
  }

  #newClient(nat: NatRouter): Host {
    const number = (this.#clients.get(nat) ?? 0) + 1;
    this.#clients.set(nat, number);
    const suffix = nat.name.slice("nat".length);
    const name = number === 1 && suffix === "" ? "client" : `client${suffix || "1"}-${number}`;
    return this.#host(name, `192.0.2.${1 + number}`, "eth0");
  }

  #publicLink(host: Host): string[] {
    const port = host.name;
    return [
      `link add name ${port} type veth peer name ${host.device} netns ${host.namespace}`,
      `link set ${port} master public up`,
    ];
  }

  async #buildNat(nat: NatRouter, ...clients: Host[]): Promise<void> {
    await this.#inside(nat, [
      ...publicSide(`${nat.address}/24`, "198.51.100.1", nat.device),
      bridge("lan"),
      "addr add 192.0.2.1/24 dev lan",
      "link set lan up",
      ...clients.flatMap(clientLink),
    ]);
    await this.#sysctl(nat, ["ip_forward=1"]);
    await nat.applyRules();
  }

  async #buildClient(client: Host): Promise<void> {
    await this.#inside(client, publicSide(`${client.address}/24`, "192.0.2.1"));
  }

  async #inside(host: Host, lines: readonly string[]): Promise<void> {
    await batch(lines, host.namespace);
  }

  async #sysctl(host: Host, settings: readonly string[]): Promise<void> {
    const commands = settings.map((setting) => {
      const [key, value] = setting.split("=");
      return `echo ${value} >/proc/sys/net/ipv4/${key}`;
    });
    await host.sh(commands.join("\n"));
  }
}

/**
 * With an address of its own: else it takes the lowest of its ports', a new host may change it, and for
 * seconds everybody's packets to this router go to one that is no more.
 */
function bridge(name: string): string {
  return `link add name ${name} address 02:00:00:00:00:01 type bridge forward_delay 0`;
}

function clientLink(client: Host): string[] {
  return [
    `link add name ${client.name} type veth peer name ${client.device} netns ${client.namespace}`,
    `link set ${client.name} master lan up`,
  ];
}

function publicSide(address: string, gateway: string, device = "eth0"): string[] {
  return [
    "link set lo up",
    `addr add ${address} dev ${device}`,
    `link set ${device} up`,
    `route add default via ${gateway}`,
  ];
}

async function addNamespaces(...hosts: Host[]): Promise<void> {
  await batch(hosts.map((host) => `netns add ${host.namespace}`));
  // A guest boots with IPv6 off. Elsewhere: link-local addresses come and go by themselves.
  if (process.env["IPIPOUD_LAB"] !== "host") return;
  const off =
    "for which in all default; do echo 1 >/proc/sys/net/ipv6/conf/$which/disable_ipv6; done";
  for (const host of hosts) await host.sh(off);
}

/** Many `ip` commands in one process. */
async function batch(lines: readonly string[], namespace?: string): Promise<void> {
  const where = namespace === undefined ? [] : ["-n", namespace];
  await run("ip", [...where, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
