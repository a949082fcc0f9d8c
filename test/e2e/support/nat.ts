/** A NAT router as at people's homes: inside is translated to its public address and a port of its choice. */
import { capture } from "../../lab/run.ts";
import { Host } from "./host.ts";

/** Ports of one mapping; every change takes the next so many. */
const span = 100;

export class NatRouter extends Host {
  /** First public port of the UDP mapping in force; flows get one of the next hundred. */
  port = 40_000;
  /** Public address in force. */
  publicAddress: string;

  constructor(name: string, namespace: string, address: string) {
    super(name, namespace, address, "wan");
    this.publicAddress = address;
  }

  /** From now on all UDP flows come from other public ports, as after a router's restart. */
  async changeMapping(): Promise<void> {
    this.port += span;
    await this.applyRules();
    await this.#forget();
  }

  /** From now on everything comes from another public address of 198.51.100.0/24 (and other ports). */
  async changeAddress(address: string): Promise<void> {
    await this.run("ip", "addr", "replace", `${address}/24`, "dev", this.device);
    this.publicAddress = address;
    await this.changeMapping();
  }

  /** (Re)places the ruleset; flows already known keep what they have. */
  async applyRules(): Promise<void> {
    const last = this.port + span - 1;
    const rules = `
      table ip nat
      delete table ip nat
      table ip nat {
        chain outgoing {
          type nat hook postrouting priority srcnat;
          oifname "wan" meta l4proto udp snat to ${this.publicAddress}:${this.port}-${last}
          oifname "wan" snat to ${this.publicAddress}
        }
        chain incoming {
          type filter hook input priority filter;
          iifname "wan" ct state new udp dport != 0 drop comment "silent, as home routers are"
        }
      }`;
    const { code, stderr } = await capture(
      "ip",
      ["netns", "exec", this.namespace, "nft", "-f", "-"],
      { input: rules },
    );
    if (code !== 0) throw new Error(`NAT rules of ${this.name}: ${stderr}`);
    await this.#remember();
  }

  /** Mappings change when a test says so, however long a slow guest takes between two packets of a flow. */
  async #remember(): Promise<void> {
    await this.sh(
      "for f in /proc/sys/net/netfilter/nf_conntrack_udp_timeout*; do echo 7200 >$f; done",
    );
  }

  /** Drops the UDP flows it knows; exit code 1 means that there were none. */
  async #forget(): Promise<void> {
    const { code, stderr } = await this.try("conntrack", "-D", "-p", "udp");
    if (code > 1) throw new Error(`conntrack: ${stderr}`);
  }
}
