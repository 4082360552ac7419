/**
 * A script on a store whose disk may lose power at any moment. Every crash state that is looked at has to open as the store was after a commit that had
 * returned, or after one that was under way; and nothing in it may be wrong.
 */

import type { MemoryDevice } from 'persistent-data/io';
import { Store, type StoreTree, u64 } from 'persistent-data/store';
import {
  CrashDevice,
  type CrashDeviceOptions,
  type CrashPoint,
  type CrashState,
  Random,
} from 'persistent-data/testing';

export interface StoreCrashOptions {
  readonly seed: number;
  readonly nrSteps?: number;
  /** Crash states looked at, at each crash point. */
  readonly statesPerPoint?: number;
  readonly everyWrites?: number;
  readonly journalBlocks?: number;
  readonly cacheBytes?: number;
  readonly dropFlush?: CrashDeviceOptions['dropFlush'];
  /** Crash states are checked for wrong counts too. Default true. */
  readonly check?: boolean;
}

/** What a run looked at. */
export interface StoreCrashResult {
  readonly nrPoints: number;
  readonly nrStates: number;
  /** The first state that was wrong, as text; `undefined` when none was. */
  readonly failure: string | undefined;
}

/** All content of a store as one text. */
export function contentOf(store: Store): string {
  const states = [
    ['head', store.head] as const,
    ...store.snapshots().map((snapshot) => [snapshot.name, snapshot] as const),
  ];
  return JSON.stringify(
    states.map(([name, state]) => [
      name,
      state.collections().map((info) => [info.name, [...state.tree(info.name, { value: u64 }).entries()]]),
    ]),
  );
}

/** The script: which store it works on, and what may be found after a crash. */
class Script {
  readonly device: CrashDevice;
  readonly #options: StoreCrashOptions;
  readonly #random: Random;
  /** Contents that may be found: the last acknowledged one first, then those that are under way. */
  #expected: string[];
  nrPoints = 0;
  nrStates = 0;
  failure: string | undefined;
  #store: Store | undefined;

  constructor(options: StoreCrashOptions) {
    const { everyWrites, dropFlush } = options;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.device = new CrashDevice({
      nrBlocks: 0,
      ...(everyWrites === undefined ? {} : { everyWrites }),
      ...(dropFlush === undefined ? {} : { dropFlush }),
      onCrashPoint: (point) => this.#look(point),
    });
    this.#expected = [JSON.stringify([['head', []]])];
  }

  async run(): Promise<void> {
    this.#store = this.#open(this.device);
    for (let i = 0; i < (this.#options.nrSteps ?? 40) && this.failure === undefined; i++) await this.#step();
    this.#store.close();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        this.#commit(() => this.#makeSnapshot());
        return;
      case 1:
        this.#commit(() => this.#dropSomething());
        return;
      case 2:
        this.#reopen();
        return;
      case 3:
        this.#rollBack();
        return;
      case 4:
      case 5:
        await this.#commitInGroup();
        return;
      default:
        this.#commit(() => this.#change());
    }
  }

  /** One transaction, synchronously: until it returns both states are possible. */
  #commit(change: () => void): void {
    const store = this.#store!;
    store.begin();
    change();
    this.#expected.push(contentOf(store));
    store.commit();
    this.#expected = [this.#expected.at(-1)!];
  }

  /** Several callers at once. What was acknowledged last may be found, and all after that. */
  async #commitInGroup(): Promise<void> {
    const store = this.#store!;
    const commits: Promise<void>[] = [];
    for (let i = this.#random.between(2, 6); i > 0; i--) {
      const commit = store.transactAsync(() => {
        this.#change();
        this.#expected.push(contentOf(store));
      });
      const content = this.#expected.at(-1)!;
      commits.push(
        commit.then(() => {
          // Acknowledged: nothing older may be found.
          const index = this.#expected.indexOf(content);
          if (index > 0) this.#expected.splice(0, index);
        }),
      );
      if (this.#random.chance(0.3)) await undefined;
      if (this.#random.chance(0.2)) this.#commit(() => this.#change());
    }
    await Promise.all(commits);
  }

  #change(): void {
    const random = this.#random;
    const store = this.#store!;
    const states = [store, ...store.snapshots()];
    const state = random.chance(0.8) ? store : random.pick(states);
    const tree = state.tree(`t${random.below(2)}`, { value: u64 }) as StoreTree<number, number | bigint>;
    const begin = random.below(2000);
    switch (random.below(8)) {
      case 0:
        for (let i = 0; i < 1500; i++) tree.set(begin + i, random.uint32());
        return;
      case 1:
        tree.deleteRange(begin, begin + 500);
        return;
      default:
        for (let i = random.below(10); i >= 0; i--) tree.set(random.below(3000), random.uint32());
    }
  }

  #makeSnapshot(): void {
    const store = this.#store!;
    const snapshots = store.snapshots();
    if (snapshots.length > 0 && this.#random.chance(0.3)) this.#random.pick(snapshots).restore();
    else store.snapshot(`s${this.#random.uint32()}`);
  }

  #dropSomething(): void {
    const store = this.#store!;
    const snapshots = store.snapshots();
    const [first] = store.collections();
    if (snapshots.length > 0) this.#random.pick(snapshots).remove();
    else if (first !== undefined) store.delete(first.name);
  }

  #rollBack(): void {
    const store = this.#store!;
    store.begin();
    this.#change();
    store.rollback();
  }

  /** Closed; or killed, so that what was not flushed is in the system's cache still, and the next life builds on it. */
  #reopen(): void {
    if (this.#random.chance(0.5)) this.#store!.close();
    this.#store = this.#open(this.device);
  }

  #open(device: CrashDevice | MemoryDevice): Store {
    const { journalBlocks = 8, cacheBytes = 40 * 4096 } = this.#options;
    return Store.open(device, { journalBlocks, cacheBytes });
  }

  #look(point: CrashPoint): void {
    if (this.failure !== undefined) return;
    this.nrPoints++;
    const { statesPerPoint: limit = 12, seed } = this.#options;
    for (const state of point.states({ limit, seed: seed + this.nrPoints })) {
      this.nrStates++;
      const problem = this.#problem(state);
      if (problem === undefined) continue;
      this.failure = `${problem}; ${point}; ${state}`;
      return;
    }
  }

  #problem(state: CrashState): string | undefined {
    try {
      const store = this.#open(state.open());
      const content = contentOf(store);
      if (!this.#expected.includes(content)) return `a state of no commit: ${content.slice(0, 200)}`;
      if (this.#options.check === false) return undefined;
      const [finding] = store.check();
      return finding && `check: ${finding.message}`;
    } catch (error) {
      return `${error}`;
    }
  }
}

/** Runs a script, and looks at crash states before and after each flush, and as the options say. */
export async function runStoreScript(options: StoreCrashOptions): Promise<StoreCrashResult> {
  const script = new Script(options);
  await script.run();
  const { nrPoints, nrStates, failure } = script;
  return { nrPoints, nrStates, failure };
}
