/** The shells themselves complete command lines, at a terminal. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { optionsOf } from "../../../src/cli/arguments.ts";
import { bash, fish, zsh } from "../../../src/manual/completion.ts";

/** A daemon with two tunnels, in the order of `status --json`'s fields. */
const status = JSON.stringify({
  tunnels: ["home", "office"].map((name) => ({
    name,
    interface: "ipipou0",
    state: "up",
    peers: [{ name: "laptop", state: "authenticated", form: "direct" }],
  })),
  queue: {},
});

/**
 * Types into a shell at a terminal, where `ipipoud` is a program that prints its arguments (or the status),
 * and prints what it was called with once the line was entered.
 */
const typist = `
import os, pty, select, sys, time
# Keys are taken one after the other, so what follows a tab comes behind what it completed.
folder, typed, *shell = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(folder)
    os.environ["PATH"] = folder + ":" + os.environ["PATH"]
    os.environ["TERM"] = "dumb"
    os.execvp(shell[0], shell)
said = b""
def until(mark, limit=20):
    global said
    end = time.monotonic() + limit
    while mark not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536)
    if mark not in said:
        sys.exit("no " + repr(mark) + " in " + repr(said))
until(b"PROMPT")
os.write(terminal, typed.encode())
os.write(terminal, b".end\\r")
until(b".end>>")
line = said[said.rindex(b"<<"):]
print(line[2:line.index(b".end>>")].decode())
os.write(terminal, b"exit\\r")
os.close(terminal)
`;

describe("completion", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "completion-"));
    const program = `#!/bin/sh\nif [ "$1 $2" = "status --json" ]; then echo '${status}'; else echo "<<$*>>"; fi\n`;
    writeFileSync(join(folder, "ipipoud"), program, { mode: 0o755 });
    writeFileSync(join(folder, "typist.py"), typist);
    writeFileSync(join(folder, "hub.yaml"), "");
    writeFileSync(join(folder, "bash"), `${bash()}\nPS1=PROMPT\nbind 'set bell-style none'\n`);
    writeFileSync(
      join(folder, ".zshrc"),
      `autoload -Uz compinit && compinit -D -u\n${zsh()}\nPS1=PROMPT\n`,
    );
    writeFileSync(join(folder, "fish"), fish());
  });
  after(() => rmSync(folder, { recursive: true }));

  const run = (program: string, ...args: string[]): string => {
    const environment = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
    const options = { cwd: folder, encoding: "utf8", env: environment, timeout: 30_000 } as const;
    const { status, stdout, stderr, error } = spawnSync(program, args, options);
    assert.equal(error, undefined, `needs the package ${program}`);
    assert.equal(status, 0, stdout + stderr);
    return stdout.trim();
  };
  const typed = (text: string, ...shell: string[]): string =>
    run("/usr/bin/python3", join(folder, "typist.py"), folder, text, ...shell);

  it("completes at a bash prompt", () => {
    const shell = ["bash", "--noprofile", "--rcfile", join(folder, "bash"), "-i"];
    assert.equal(typed("ipipoud rel\t", ...shell), "reload");
    assert.equal(typed("ipipoud reload --confirm 6\t", ...shell), "reload --confirm 60s");
    assert.equal(typed("ipipoud --config h\t", ...shell), "--config hub.yaml");
    assert.equal(typed("ipipoud forget off\t/\t", ...shell), "forget office/laptop");
  });

  /** What bash offers for a line; the cursor is behind its last character. */
  const offers = (line: string): string[] => {
    const words = line.split(" ");
    const script = `source ./bash
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
      _ipipoud; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run("bash", "--norc", "-c", script).split("\n");
  };

  it("offers bash every command, and to each its options", () => {
    const commands = [...optionsOf.keys()].filter((name) => name !== "run" && name !== "check");
    assert.deepEqual(offers("ipipoud "), commands);
    for (const name of commands) {
      const wanted = [...(optionsOf.get(name) ?? []), "verbose", "help"].map((one) => `--${one}`);
      assert.deepEqual(offers(`ipipoud ${name} --`), wanted, name);
    }
    assert.deepEqual(offers("ipipoud --check --j"), ["--json"]);
    assert.deepEqual(offers("ipipoud import -- --x"), [""]);
  });

  it("offers bash the daemon's tunnels and peers", () => {
    assert.deepEqual(offers("ipipoud status "), ["home", "office"]);
    const all = ["home", "home/laptop", "office", "office/laptop"];
    assert.deepEqual(offers("ipipoud reauth "), all);
    assert.deepEqual(offers("ipipoud --config hub.yaml forget off"), ["office", "office/laptop"]);
  });

  it("completes at a zsh prompt", () => {
    const shell = ["env", `ZDOTDIR=${folder}`, "zsh", "-d", "-i"];
    assert.equal(typed("ipipoud rel\t", ...shell), "reload");
    assert.equal(typed("ipipoud reload --confirm 6\t", ...shell), "reload --confirm 60s");
    assert.equal(typed("ipipoud status of\t", ...shell), "status office");
    assert.equal(typed("ipipoud forget home/\t", ...shell), "forget home/laptop");
  });

  it("offers fish commands, options, tunnels and peers", () => {
    const candidates = (line: string): string[] =>
      run("fish", "--no-config", "-c", `source ./fish; complete -C '${line}'`)
        .split("\n")
        .map((one) => one.split("\t")[0] ?? "");
    assert.deepEqual(candidates("ipipoud rel"), ["reload"]);
    assert.deepEqual(candidates("ipipoud reload --conf").sort(), ["--config", "--confirm"]);
    assert.deepEqual(candidates("ipipoud status "), ["home", "office"]);
    assert.deepEqual(candidates("ipipoud forget home/"), ["home/laptop"]);
  });
});
