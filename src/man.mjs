/** dist/man and dist/completion, from dist/src: `npm run man`. Reproducible where SOURCE_DATE_EPOCH is set. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { programPage } = await import(`${root}dist/src/manual/ipipoud.8.js`);
const { configurationPage } = await import(`${root}dist/src/manual/ipipoud.yaml.5.js`);
const { bash, fish, zsh } = await import(`${root}dist/src/manual/completion.js`);

const { version } = JSON.parse(await readFile(`${root}package.json`, "utf8"));
const epoch = process.env.SOURCE_DATE_EPOCH;
const date = (epoch === undefined ? new Date() : new Date(Number(epoch) * 1000))
  .toISOString()
  .slice(0, 10);
const example = (name) => readFile(`${root}conf/${name}`, "utf8");

const files = {
  "man/ipipoud.8": programPage({ date, version }),
  "man/ipipoud.yaml.5": configurationPage({ date, version }, [
    ["A hub for many clients:", await example("hub.yaml")],
    ["A client behind NAT:", await example("client.yaml")],
    ["A static tunnel, as `ip fou` makes it by hand:", await example("static.yaml")],
  ]),
  "completion/ipipoud.bash": bash(),
  "completion/_ipipoud": zsh(),
  "completion/ipipoud.fish": fish(),
};
for (const folder of ["man", "completion"]) {
  await rm(`${root}dist/${folder}`, { recursive: true, force: true });
  await mkdir(`${root}dist/${folder}`, { recursive: true });
}
for (const [name, text] of Object.entries(files)) await writeFile(`${root}dist/${name}`, text);
