/** The Dockerfile, as far as the lab and the tests want to know it. */
import { type Copy, DockerfileParser } from "dockerfile-ast";

export interface Stage {
  readonly from: string;
  readonly name: string | undefined;
  /** What comes from the sources: files and folders to one place. */
  readonly copies: readonly { readonly sources: readonly string[]; readonly to: string }[];
  /** What comes from another stage. */
  readonly taken: readonly { readonly stage: string; readonly sources: readonly string[] }[];
  /** Each RUN, in its form as JSON. */
  readonly runs: readonly (readonly string[])[];
  readonly user: string | undefined;
  readonly entrypoint: readonly string[];
  readonly health: readonly string[];
}

/** Stages in their order. A RUN in any other form than JSON is an empty command here. */
export function readStages(text: string): Stage[] {
  const instructions = DockerfileParser.parse(text).getInstructions();
  const stages: Stage[] = [];
  for (const instruction of instructions) {
    const keyword = instruction.getKeyword();
    const words = instruction.getArguments().map((argument) => argument.getValue());
    if (keyword === "FROM") {
      const name = words[1]?.toUpperCase() === "AS" ? words[2] : undefined;
      stages.push({ ...empty, from: words[0] ?? "", name });
      continue;
    }
    const last = stages.pop();
    if (last === undefined) throw new Error(`Dockerfile: ${keyword} before FROM`);
    stages.push(extend(last, keyword, words, instruction.getRawArgumentsContent() ?? ""));
    if (keyword === "COPY") stages.push(copied(stages.pop() ?? last, instruction as Copy, words));
  }
  return stages;
}

const empty = { copies: [], taken: [], runs: [], user: undefined, entrypoint: [], health: [] };

function extend(stage: Stage, keyword: string, words: readonly string[], raw: string): Stage {
  switch (keyword) {
    case "RUN":
      return { ...stage, runs: [...stage.runs, jsonList(raw)] };
    case "USER":
      return { ...stage, user: words[0] };
    case "ENTRYPOINT":
      return { ...stage, entrypoint: jsonList(raw) };
    case "HEALTHCHECK":
      return { ...stage, health: jsonList(raw.replace(/^.*?\bCMD\s+/s, "")) };
    default:
      return stage;
  }
}

function copied(stage: Stage, copy: Copy, words: readonly string[]): Stage {
  const from = copy.getFromFlag()?.getValue() ?? undefined;
  const sources = words.slice(0, -1);
  return from === undefined
    ? { ...stage, copies: [...stage.copies, { sources, to: words.at(-1) ?? "" }] }
    : { ...stage, taken: [...stage.taken, { stage: from, sources }] };
}

function jsonList(text: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.map(String) : [];
  } catch {
    return [];
  }
}
