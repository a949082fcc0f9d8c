/** The one table of exit codes; --help prints it, the README repeats it. */
export const exitCodes: readonly (readonly [code: number, meaning: string])[] = [
  [0, "ok"],
  [1, "runtime failure"],
  [2, "usage or configuration"],
  [3, "missing privilege"],
  [4, "missing kernel feature or module"],
  [5, "in conflict with what is there: a foreign interface, listener or table, another ipipoud"],
];
