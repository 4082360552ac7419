import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolFamily } from './family.ts';

const GENERATOR = join(import.meta.dirname, 'gen-xml.mjs');

/** The files that a family's rows work on, made when they are asked for. */
export class Inputs {
  readonly #folder: string;
  readonly #family: ToolFamily;
  readonly #n: number;
  /** Our program, which makes metadata of XML. */
  readonly #pdata: readonly string[];

  constructor(folder: string, family: ToolFamily, n: number, pdata: readonly string[]) {
    this.#folder = folder;
    this.#family = family;
    this.#n = n;
    this.#pdata = pdata;
    mkdirSync(folder, { recursive: true });
  }

  /** What a word of a call stands for. */
  resolve(word: string): string {
    if (!word.startsWith('@')) return word;
    if (word === '@new') return join(this.#folder, 'new');
    if (word === '@out') return this.#output();
    const [name = '', ending] = word.slice(1).split('.');
    return ending === 'xml' ? this.#xml(name) : this.#metadata(name);
  }

  /** Before each run: what has to be new is not there. */
  clean(): void {
    rmSync(this.resolve('@new'), { force: true });
  }

  #path(name: string): string {
    return join(this.#folder, `${this.#family.name}-${name}-${this.#n}`);
  }

  /** As large as the largest input. */
  #output(): string {
    const path = this.#path('out');
    if (!existsSync(path))
      empty(path, Math.max(...Object.values(this.#family.inputs).map(({ bytes }) => bytes(this.#n))));
    return path;
  }

  #xml(name: string): string {
    const path = `${this.#path(name)}.xml`;
    if (existsSync(path)) return path;
    const [kind = '', ...parameters] = this.#input(name).xml(this.#n).map(String);
    run([process.execPath, GENERATOR, kind, `${path}.new`, ...parameters]);
    renameSync(`${path}.new`, path);
    return path;
  }

  #metadata(name: string): string {
    const path = this.#path(name);
    if (existsSync(path)) return path;
    const { bytes, restore } = this.#input(name);
    empty(`${path}.new`, bytes(this.#n));
    run([...this.#pdata, restore, '-i', this.#xml(name), '-o', `${path}.new`]);
    renameSync(`${path}.new`, path);
    return path;
  }

  #input(name: string): ToolFamily['inputs'][string] {
    const input = this.#family.inputs[name];
    if (input === undefined) throw new Error(`${this.#family.name} has no input ${name}`);
    return input;
  }
}

function empty(path: string, bytes: number): void {
  writeFileSync(path, '');
  truncateSync(path, bytes);
}

function run([program = '', ...argv]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${argv.join(' ')}: ${stderr}`);
}
