/** A family of commands, as `npm run bench -- tools` measures it. To add one, write a module beside this and list it in ../tools.ts. */
export interface ToolFamily {
  readonly name: string;
  /** The size of a run without `--n`; default 10 million. */
  readonly defaultN?: number;
  /** By name: a row's words `@NAME` stand for the metadata, `@NAME.xml` for the text that it is restored from. */
  readonly inputs: Readonly<Record<string, ToolInput>>;
  readonly rows: readonly ToolRow[];
}

/** Something to work on, made once for each size and kept in .cache/bench. */
export interface ToolInput {
  /** Arguments of gen-xml.mjs for a run of size `n`: the kind and, without the file's name, its parameters. */
  xml(n: number): readonly (string | number)[];
  /** The command that makes metadata of the XML, with `-i` and `-o`. */
  readonly restore: string;
  /** How large the device is, for a run of size `n`. */
  bytes(n: number): number;
}

/** One line of the table. */
export interface ToolRow {
  readonly name: string;
  /** What is done, in words. */
  readonly about: string;
  /** The command and its arguments: words with `@` stand for inputs; `@out` is a device to write to, `@new` a file that is not there. */
  readonly call: string;
  /** What is wanted: at most this many times the time of 1.1.0. */
  readonly goal?: number;
  /** At most so many milliseconds. */
  readonly goalMs?: number;
  /** At most so much memory, in MiB. */
  readonly memoryGoalMib?: number;
  /** At most so many milliseconds more than a program of Node's that does nothing. Such a row is measured beside that one. */
  readonly aboveNodeMs?: number;
  /** Takes the C++ tools minutes: they are left out. */
  readonly slowForCpp?: boolean;
}
