/**
 * Reads what was done to a pool: guest scripts (`replay/POOL/script.sh`) and the kernel oracle's records of what was run
 * (`scripted/NAME.txt`, `replay/POOL/transcript.txt`). All are flat lists of commands; a small grammar suffices.
 */

/** One command given to device-mapper or to a device on it. Units: 512-byte sectors and bytes as the names say. */
export type Command =
  | { readonly do: 'createPool'; readonly name: string; readonly table: PoolTable }
  | { readonly do: 'createThin'; readonly name: string; readonly id: number; readonly lengthSectors: number }
  | { readonly do: 'createLinear'; readonly name: string; readonly lengthSectors: number }
  | { readonly do: 'reload'; readonly name: string; readonly table: string }
  | { readonly do: 'suspend' | 'resume' | 'remove' | 'status'; readonly name: string }
  | { readonly do: 'message'; readonly name: string; readonly words: readonly string[] }
  | {
      readonly do: 'write';
      readonly name: string;
      readonly offsetBytes: readonly number[];
      readonly lengthBytes: number;
    }
  | { readonly do: 'flush'; readonly name: string }
  | { readonly do: 'discard'; readonly name: string; readonly offsetBytes: number; readonly lengthBytes?: number }
  | { readonly do: 'removeThins' };

/** The table line of a thin pool. */
export interface PoolTable {
  readonly lengthSectors: number;
  readonly metadataDevice: string;
  readonly blockSectors: number;
  readonly features: readonly string[];
}

/** What was done up to the moment at which an image was made. */
export interface Step {
  readonly name: string;
  readonly commands: readonly Command[];
}

/** A line that the grammar does not know. */
export class ScriptError extends Error {}

/** Parses a pool's table: `0 LENGTH thin-pool META DATA BLOCK LOW_WATER [#FEATURES FEATURE...]`. */
export function parsePoolTable(words: readonly string[]): PoolTable {
  const [, length, , metadataDevice, , blockSectors, , nrFeatures = '0', ...features] = words;
  if (metadataDevice === undefined || Number(nrFeatures) !== features.length) {
    throw new ScriptError(`not a pool's table: ${words.join(' ')}`);
  }
  return { lengthSectors: Number(length), metadataDevice, blockSectors: Number(blockSectors), features };
}

function parseCreate(name: string, table: readonly string[]): Command {
  const lengthSectors = Number(table[1]);
  switch (table[2]) {
    case 'thin-pool':
      return { do: 'createPool', name, table: parsePoolTable(table) };
    case 'thin':
      return { do: 'createThin', name, id: Number(table[4]), lengthSectors };
    case 'linear':
      return { do: 'createLinear', name, lengthSectors };
    default:
      throw new ScriptError(`unknown target: ${table.join(' ')}`);
  }
}

/** The permutation of blockio: shuffles a list in place, the same way each time (ALGORITHMS §13.1). */
function shuffle(list: number[], seed: number): number[] {
  let x = seed;
  for (let i = list.length - 1; i > 0; i -= 1) {
    x = Number((BigInt(x) * 1103515245n + 12345n) & 0x7fff_ffffn);
    const j = (x >> 8) % (i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

/** Expands a range as blockio does: `a`, `a-b`, `a-b+step`, `shuffle:SEED:RANGE`. */
export function expandRange(text: string): number[] {
  const [, seed, inner] = /^shuffle:(\d+):(.*)$/.exec(text) ?? [];
  if (inner !== undefined) return shuffle(expandRange(inner), Number(seed));
  const [, first, last, step] = /^(\d+)(?:-(\d+)(?:\+(\d+))?)?$/.exec(text) ?? [];
  if (first === undefined) throw new ScriptError(`not a range: ${text}`);
  const list: number[] = [];
  for (let n = Number(first); n <= Number(last ?? first); n += Number(step ?? 1)) list.push(n);
  return list;
}

const MAPPER = '/dev/mapper/';

function mapped(path: string | undefined): string {
  if (!path?.startsWith(MAPPER)) throw new ScriptError(`not a mapped device: ${path}`);
  return path.slice(MAPPER.length);
}

function parseDmsetup(words: readonly string[]): Command[] {
  const [verb, ...rest] = words;
  const named = rest.filter((word) => !word.startsWith('--'));
  const table = () => rest.slice(rest.indexOf('--table') + 1);
  const name = named[0] ?? '';
  switch (verb) {
    case 'create':
      return [parseCreate(name, table())];
    case 'reload':
      return [{ do: 'reload', name, table: table().join(' ') }];
    case 'suspend':
    case 'resume':
    case 'remove':
      return [{ do: verb, name }];
    case 'status':
      // Without --noflush a pool commits before it answers.
      return rest.includes('--noflush') ? [] : [{ do: 'status', name }];
    case 'message':
      return [{ do: 'message', name, words: named.slice(2) }];
    default:
      throw new ScriptError(`unknown: dmsetup ${words.join(' ')}`);
  }
}

function parseBlockio(words: readonly string[]): Command[] {
  const [verb, device, _tag, unit, length, ...ranges] = words;
  if (verb === 'check' || verb === 'sums') return [];
  if (verb !== 'write') throw new ScriptError(`unknown: blockio ${words.join(' ')}`);
  const offsetBytes = ranges.flatMap(expandRange).map((index) => index * Number(unit));
  return [{ do: 'write', name: mapped(device), offsetBytes, lengthBytes: Number(length) }];
}

function parseDiscard(words: readonly string[]): Command[] {
  const option = (name: string) => (words.includes(name) ? Number(words[words.indexOf(name) + 1]) : undefined);
  const lengthBytes = option('-l');
  const name = mapped(words.at(-1));
  return [
    { do: 'discard', name, offsetBytes: option('-o') ?? 0, ...(lengthBytes === undefined ? {} : { lengthBytes }) },
  ];
}

/** Parses one simple command, its quotes and redirections taken off. Commands that change nothing give none. */
export function parseCommand(line: string): Command[] {
  const words = line
    .replace(/['"]/g, '')
    .replace(/\s\d?>\S+/g, '')
    .trim()
    .split(/\s+/);
  const [verb, ...rest] = words;
  switch (verb) {
    case 'run':
      return parseCommand(rest.join(' '));
    case 'dm':
      return [parseCreate(rest[0]!, rest.slice(1))];
    case 'msg':
      return [{ do: 'message', name: rest[0]!, words: rest.slice(1) }];
    case 'dmsetup':
      return parseDmsetup(rest);
    case 'blockio':
      return parseBlockio(rest);
    case 'blkdiscard':
      return parseDiscard(rest);
    case 'flush':
      // `flush 7` in scripts, `flush thin7` in records.
      return [{ do: 'flush', name: /^\d/.test(rest[0]!) ? `thin${rest[0]}` : rest[0]! }];
    case 'sleep':
    case 'sync':
    case 'cat':
      return [];
    default:
      throw new ScriptError(`unknown command: ${line}`);
  }
}

const REMOVE_THINS = /^for t in \$\(dmsetup ls --target thin.*?done;/;

/** Parses a guest script: a `step NAME` line ends a step. What follows the last one is a step without an image, `end`. */
export function parseScript(text: string): Step[] {
  const steps: Step[] = [];
  let commands: Command[] = [];
  for (const line of text.split('\n')) {
    // The preamble: sourcing, settings, the two functions that are known here by name.
    if (/^\s*(#|$)|^\. |^\w+=|^\w+\(\)/.test(line)) continue;
    const rest = line.replace(REMOVE_THINS, () => {
      commands.push({ do: 'removeThins' });
      return '';
    });
    const [, step] = /^step (\S+)/.exec(rest) ?? [];
    if (step !== undefined) {
      steps.push({ name: step, commands });
      commands = [];
      continue;
    }
    for (const part of rest.split(/[;|]/)) {
      if (/^\s*head\b/.test(part) || part.trim() === '') continue;
      commands.push(...parseCommand(part));
    }
  }
  if (commands.length > 0) steps.push({ name: 'end', commands });
  return steps;
}

/** Parses a record: lines that begin with `+ ` are the commands, all others what they printed. */
export function parseRecord(text: string): Command[] {
  return text.split('\n').flatMap((line) => (line.startsWith('+ ') ? parseCommand(line.slice(2)) : []));
}

/** Parses the transcript of a pool: a record in which `@@save NAME` lines end the steps. */
export function parseTranscript(text: string): Step[] {
  const steps: Step[] = [];
  let begin = 0;
  for (const save of text.matchAll(/^@@save (\S+)\n/gm)) {
    steps.push({ name: save[1]!, commands: parseRecord(text.slice(begin, save.index)) });
    begin = save.index + save[0].length;
  }
  return steps;
}

/** Makes steps of the growing records of one pool: each begins with all that the one before holds. */
export function stepsOfRecords(records: readonly { readonly name: string; readonly text: string }[]): Step[] {
  let before = '';
  return records.map(({ name, text }) => {
    if (!text.startsWith(before)) throw new ScriptError(`the record of ${name} does not go on from the one before`);
    const commands = parseRecord(text.slice(before.length));
    before = text;
    return { name, commands };
  });
}
