/** Random changes of a pool with names, on three disks that lose power together at any moment; each state is opened and compared with what may be. */

import { Pool, type PoolDevices } from 'persistent-data/pool';
import { CrashDevice, type CrashPoint, type CrashState, Random, WHOLE } from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { BlockData } from 'persistent-data/thin-pool';

const BLOCK = 64 * 1024;
const SIZE = 4 * BLOCK;
/** Thousands of pools are opened. */
const SMALL = { commitPeriodMs: 0, cacheBlocks: 64, mappingCacheSlots: 16 };

const KINDS = [
  'create',
  'snapshot',
  'clone',
  'rename',
  'delete',
  'protect',
  'rollback',
  'merge',
  'write',
  'write',
] as const;

export type StepKind = (typeof KINDS)[number];

/** What a volume is like, as text: size, flag, and the first byte of each block. */
type Shape = string;
type Content = Map<string, Shape>;

export interface PoolScript {
  readonly seed: number;
  readonly nrSteps?: number;
  readonly statesPerPoint?: number;
  /** What the steps are, instead of what is drawn. */
  readonly kinds?: readonly StepKind[];
  /**
   * Power fails after each write of each disk too; and of the registry every state is tried, with all and with nothing of what is open on the other disks.
   */
  readonly isExhaustive?: boolean;
  /** A negative control: which flush of which disk does nothing. */
  readonly dropFlush?: { readonly disk: keyof PoolDevices; readonly isDropped: (index: number) => boolean };
}

export interface PoolScriptOutcome {
  readonly failure: string | undefined;
  readonly nrStates: number;
  /** Moments at which power was lost. */
  readonly nrPoints: number;
  /** Kinds of steps that were not skipped. */
  readonly done: ReadonlySet<StepKind>;
}

/** What is in a pool. */
function contentOf(pool: Pool): Content {
  const first = new Uint8Array(1);
  return new Map(
    pool.volumes().map(({ name, sizeBytes, readOnly }) => {
      const volume = pool.volume(name, { readOnly: true });
      const tags: number[] = [];
      for (let at = 0; at < sizeBytes; at += BLOCK) {
        volume.read(at, first);
        tags.push(first[0]!);
      }
      volume.close();
      return [name, `${sizeBytes / 512} ${readOnly ? 'ro' : 'rw'} ${tags.join(',')}`];
    }),
  );
}

/** Whether a content may be: each volume as before the step or as after it, and all of them from the same side, but for one that is being written. */
function mayBe(found: Content, before: Content, after: Content, written: string | undefined): boolean {
  const isLike = (wanted: Content): boolean =>
    wanted.size === found.size &&
    [...wanted].every(([name, shape]) => found.get(name) === shape || (name === written && found.has(name)));
  return isLike(before) || isLike(after);
}

type Points = Record<keyof PoolDevices, CrashPoint>;
type States = Record<keyof PoolDevices, CrashState>;

/** The most states of the registry at one moment; it has never been open for so much that there were more. */
const MAX_REGISTRY_STATES = 4096;

/** Every state of the registry, torn ones too, with all and with nothing of what is open on each of the other disks. */
function* allStates({ metadata, data, registry }: Points): Generator<States> {
  const ends = (point: CrashPoint) => {
    const nothing = point.state(new Uint8Array(point.items.length));
    return point.items.length === 0
      ? [nothing]
      : [nothing, point.state(new Uint8Array(point.items.length).fill(WHOLE))];
  };
  let nrStates = 0;
  for (const state of registry.states({ limit: MAX_REGISTRY_STATES })) {
    if (++nrStates === MAX_REGISTRY_STATES) throw new Error(`${registry} has too many states to try them all`);
    for (const first of ends(metadata))
      for (const second of ends(data)) yield { metadata: first, data: second, registry: state };
  }
}

class PoolCrashRun {
  readonly #script: PoolScript;
  readonly #random: Random;
  readonly #disks: Record<keyof PoolDevices, CrashDevice>;
  readonly #closing: Promise<void>[] = [];
  #pool!: Pool;
  #before: Content = new Map();
  #after: Content = new Map();
  #written: string | undefined;
  #step = 'making the pool';
  #isLooking = false;
  #nrNames = 0;
  nrStates = 0;
  nrPoints = 0;
  readonly done = new Set<StepKind>();
  failure: string | undefined;

  constructor(script: PoolScript) {
    this.#script = script;
    this.#random = new Random(script.seed);
    const disk = (name: keyof PoolDevices, nrBlocks: number): CrashDevice => {
      const drop = script.dropFlush?.disk === name ? { dropFlush: script.dropFlush.isDropped } : {};
      const moments = script.isExhaustive ? { everyWrites: 1 } : {};
      return new CrashDevice({ nrBlocks, ...drop, ...moments, onCrashPoint: (point) => this.#look(name, point) });
    };
    this.#disks = { metadata: disk('metadata', 128), data: disk('data', 1024), registry: disk('registry', 0) };
  }

  async run(): Promise<void> {
    const { metadata, data, registry } = this.#disks;
    this.#pool = Pool.create({ metadata, registry, data: new BlockData(data) }, SMALL);
    this.#before = this.#after = contentOf(this.#pool);
    this.#isLooking = true;
    const { kinds, nrSteps = kinds?.length ?? 16 } = this.#script;
    for (let i = 0; i < nrSteps && this.failure === undefined; i++) await this.#doStep(kinds?.[i]);
    this.#isLooking = false;
    await this.#pool.close();
    await Promise.all(this.#closing);
  }

  /** The other disks lose power at the same moment. */
  #look(name: keyof PoolDevices, point: CrashPoint): void {
    if (!this.#isLooking || this.failure !== undefined) return;
    this.nrPoints++;
    const points = Object.fromEntries(
      Object.entries(this.#disks).map(([other, disk]) => [other, other === name ? point : disk.crashPoint('together')]),
    ) as Record<keyof PoolDevices, CrashPoint>;
    for (const state of this.#script.isExhaustive ? allStates(points) : this.#someStates(points)) {
      this.nrStates++;
      const text = `${this.#step}; ${name}, ${point}: ${state.metadata} | ${state.data} | ${state.registry}`;
      try {
        this.#open({
          metadata: state.metadata.open(),
          data: new BlockData(state.data.open()),
          registry: state.registry.open(),
        });
      } catch (error) {
        this.failure = `${text}: ${(error as Error).message}`;
        return;
      }
    }
  }

  *#someStates(points: Points): Generator<States> {
    const { seed, statesPerPoint: limit = 3 } = this.#script;
    const states = (disk: keyof PoolDevices) => [...points[disk].states({ limit, seed: seed + this.nrStates })];
    const [metadata, data, registry] = [states('metadata'), states('data'), states('registry')];
    for (let i = 0; i < Math.max(metadata.length, data.length, registry.length); i++) {
      const pick = <T>(list: readonly T[]): T => list[(i * 7) % list.length]!;
      yield { metadata: pick(metadata), data: pick(data), registry: pick(registry) };
    }
  }

  #open(devices: PoolDevices): void {
    const pool = Pool.open(devices, SMALL);
    const found = contentOf(pool);
    this.#closing.push(pool.close());
    if (!mayBe(found, this.#before, this.#after, this.#written)) {
      const text = (content: Content): string => [...content].map((row) => row.join(': ')).join('; ');
      throw new Error(`found [${text(found)}], [${text(this.#before)}] or [${text(this.#after)}] is wanted`);
    }
    for (const finding of checkThin(devices.metadata)) throw new Error(`metadata: ${finding.message}`);
  }

  async #doStep(wanted?: StepKind): Promise<void> {
    const random = this.#random;
    const names = [...this.#before.keys()];
    const writable = names.filter((name) => this.#before.get(name)!.includes(' rw '));
    const kind = wanted ?? (names.length === 0 ? 'create' : random.pick(KINDS));
    const name = names.length === 0 ? '' : random.pick(names);
    const target = writable.length === 0 ? undefined : random.pick(writable);
    this.#step = `${kind} of ${name || 'nothing'}, on ${target}`;
    const after = new Map(this.#before);
    const fresh = `v${this.#nrNames++}`;
    const shape = this.#before.get(name);
    switch (kind) {
      case 'create':
        after.set(fresh, `${SIZE / 512} rw 0,0,0,0`);
        return this.#expect(kind, after, () => this.#pool.createVolume(fresh, { sizeBytes: SIZE }));
      case 'snapshot':
        after.set(fresh, shape!.replace(' rw ', ' ro '));
        return this.#expect(kind, after, () => this.#pool.createSnapshot(name, fresh));
      case 'clone':
        after.set(fresh, shape!.replace(' ro ', ' rw '));
        return this.#expect(kind, after, () => this.#pool.createSnapshot(name, fresh, { writable: true }));
      case 'rename':
        after.delete(name);
        after.set(fresh, shape!);
        return this.#expect(kind, after, () => this.#pool.renameVolume(name, fresh));
      case 'delete':
        after.delete(name);
        return this.#expect(kind, after, () => this.#pool.deleteVolume(name));
      case 'protect':
        after.set(name, shape!.replace(' rw ', ' ro '));
        return this.#expect(kind, after, () => this.#pool.protect(name, true));
      case 'rollback':
        if (target === undefined || target === name) return;
        after.set(target, shape!.replace(' ro ', ' rw '));
        return this.#expect(kind, after, () => this.#pool.rollback(target, name));
      case 'merge':
        if (target === undefined || target === name) return;
        after.set(target, shape!.replace(' ro ', ' rw '));
        after.delete(name);
        return this.#expect(kind, after, () => this.#pool.merge(name, target));
      case 'write':
        if (target === undefined) return;
        return this.#write(target);
    }
  }

  async #write(name: string): Promise<void> {
    const random = this.#random;
    const [sectors, flag, list] = this.#before.get(name)!.split(' ');
    const tags = list!.split(',');
    const block = random.below(tags.length);
    const tag = random.between(1, 255);
    tags[block] = `${tag}`;
    const after = new Map(this.#before).set(name, `${sectors} ${flag} ${tags.join(',')}`);
    this.#written = name;
    await this.#expect('write', after, async () => {
      const volume = this.#pool.volume(name);
      await volume.write(block * BLOCK, new Uint8Array(random.pick([4096, BLOCK])).fill(tag));
      await volume.flush();
      volume.close();
    });
    this.#written = undefined;
  }

  async #expect(kind: StepKind, after: Content, change: () => Promise<void>): Promise<void> {
    this.done.add(kind);
    this.#after = after;
    await change();
    this.#before = after;
    // Acknowledged: from now on only this may be found.
    for (const name of ['metadata', 'data', 'registry'] as const)
      this.#look(name, this.#disks[name].crashPoint('acknowledged'));
  }
}

/** Runs a script. `failure` says what is wrong with the first state that should not be. */
export async function runPoolScript(script: PoolScript): Promise<PoolScriptOutcome> {
  const run = new PoolCrashRun(script);
  try {
    await run.run();
  } catch (error) {
    // A disk that lies may also make the pool itself fail; that is no finding of its own.
    run.failure ??= (error as Error).message;
  }
  const { failure, nrStates, nrPoints, done } = run;
  return { failure, nrStates, nrPoints, done };
}
