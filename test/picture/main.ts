/** `npm run picture`: writes docs/terminal.svg. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../lab/paths.ts";
import { laptopOfReadme } from "./readme.ts";
import { session } from "./session.ts";
import { terminalPicture } from "./terminal.ts";

const picture = terminalPicture(session(laptopOfReadme()));
writeFileSync(join(projectRoot, "docs/terminal.svg"), picture);
