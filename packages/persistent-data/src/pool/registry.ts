import { CorruptionError, StateError, type U64, UnsupportedError } from '../base/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { Store, str, u8, u32, u64 } from '../store/index.ts';
import { fromStored, RECORD_FIELDS, toStored, type VolumeRecord } from './volume-record.ts';

const FORMAT = 1;
const PUT = 1;
const REMOVE = 2;
/** Rows are kept in memory; this is for changing them. */
const CACHE_BYTES = 1024 * 1024;

const STATE_FIELDS = {
  format: u32,
  blockBytes: u32,
  uuid: str(36),
  transactionId: u64,
  intendedId: u64,
  isIntended: u8,
};
const CHANGE_FIELDS = { kind: u8, id: u32, ...RECORD_FIELDS };

/** What happens to a volume's row. */
export type RowChange = { readonly put: VolumeRecord } | { readonly remove: number };

/**
 * The names of a pool's volumes, in a `Store` beside the pool. Names and pool are two files, and yet no crash leaves one without the other:
 *
 * 1. {@link intend}: the changes of rows are written down, with the transaction id N+1 that the pool will have when it has made its part; durable.
 * 2. The pool makes its part and goes from transaction id N to N+1, in one commit.
 * 3. {@link settle}: the changes are made in the rows, and N+1 is noted as reached.
 *
 * Whoever opens it compares ids ({@link reconcile}): when the pool has the intended one step 3 is made up for, else the intent is forgotten.
 */
export class Registry {
  readonly uuid: string;
  /** Data blocks of the pool come in this size. */
  readonly blockBytes: number;
  readonly #store: Store;
  readonly #rows = new Map<number, VolumeRecord>();
  readonly #byName = new Map<string, VolumeRecord>();
  #transactionId: number;
  #intent: { readonly id: number; readonly changes: readonly RowChange[] } | undefined;

  private constructor(store: Store) {
    this.#store = store;
    const state = stateTree(store).get(0);
    if (state === undefined) throw new StateError('Cannot open the registry: it was never finished');
    if (state.format !== FORMAT) {
      throw new UnsupportedError(`Cannot open the registry: its format is ${state.format}, ${FORMAT} is known`);
    }
    this.uuid = state.uuid;
    this.blockBytes = state.blockBytes;
    this.#transactionId = Number(state.transactionId);
    for (const [id, stored] of rowTree(store).entries()) this.#set(fromStored(Number(id), stored));
    if (state.isIntended === 1) this.#intent = { id: Number(state.intendedId), changes: readChanges(store) };
  }

  /** Makes a registry without volumes for a pool at transaction id 0. */
  static format(where: BlockDevice, pool: { readonly uuid: string; readonly blockBytes: number }): Registry {
    const store = Store.open(where, { create: 'new', cacheBytes: CACHE_BYTES });
    try {
      store.transact(() => {
        const none = { transactionId: 0, intendedId: 0, isIntended: 0 };
        stateTree(store).set(0, { format: FORMAT, ...pool, ...none });
        rowTree(store);
        changeTree(store);
      });
      return new Registry(store);
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** @throws as `Store.open`, and {@link StateError} when it is the store of something else. */
  static open(where: BlockDevice, options: { readonly readOnly?: boolean } = {}): Registry {
    const store = Store.open(where, { create: false, cacheBytes: CACHE_BYTES, readOnly: options.readOnly ?? false });
    try {
      return new Registry(store);
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** The pool's transaction id that the rows belong to. */
  get transactionId(): number {
    return this.#transactionId;
  }

  /** Whether an intent waits for {@link settle} or {@link forget}. */
  get isIntended(): boolean {
    return this.#intent !== undefined;
  }

  /** All volumes, by id. */
  rows(): VolumeRecord[] {
    return [...this.#rows.values()].sort((a, b) => a.id - b.id);
  }

  find(name: string): VolumeRecord | undefined {
    return this.#byName.get(name);
  }

  /** @throws {StateError} when there is none of this name. */
  get(name: string): VolumeRecord {
    const record = this.find(name);
    if (record === undefined) throw new StateError(`Cannot find volume "${name}": the pool has none of this name`);
    return record;
  }

  byId(id: number): VolumeRecord | undefined {
    return this.#rows.get(id);
  }

  /** Writes down what is going to happen, durably. Answers the transaction id that the pool has to reach with it. */
  async intend(changes: readonly RowChange[]): Promise<number> {
    if (this.#intent !== undefined) throw new StateError('Cannot change the registry: a change waits for its end');
    const id = this.#transactionId + 1;
    await this.#store.transactAsync(() => {
      const tree = changeTree(this.#store);
      tree.clear();
      for (const [i, change] of changes.entries()) tree.set(i, toChange(change));
      this.#writeState({ isIntended: 1, intendedId: id });
    });
    this.#intent = { id, changes };
    return id;
  }

  /** The pool has made its part: makes the intended changes. */
  async settle(): Promise<void> {
    await this.#store.transactAsync(() => this.#settle());
    this.#adopt();
  }

  /** The pool has not made its part, and is as it was before. */
  async forget(): Promise<void> {
    await this.#store.transactAsync(() => this.#forget());
    this.#intent = undefined;
  }

  /** Changes of rows that need nothing of the pool: names, sizes, flags. */
  async write(changes: readonly RowChange[]): Promise<void> {
    await this.#store.transactAsync(() => {
      for (const change of changes) writeRow(this.#store, change);
    });
    for (const change of changes) this.#apply(change);
  }

  /**
   * Ends an intent that a crash left, by the transaction id that the pool has. In a registry that was opened read-only only in memory.
   * @throws {StateError} when the id is neither the one before the intent nor the one after it.
   */
  reconcile(poolId: U64): void {
    const isDone = this.#intent !== undefined && this.#intent.id === Number(poolId);
    if (!isDone && Number(poolId) !== this.#transactionId) {
      const wanted =
        this.#intent === undefined ? `${this.#transactionId}` : `${this.#transactionId} or ${this.#intent.id}`;
      throw new StateError(
        `Cannot match names with volumes: the pool's transaction id is ${poolId}, ${wanted} is wanted; something else has changed it`,
      );
    }
    if (this.#intent === undefined) return;
    if (!this.#store.readOnly) this.#store.transact(() => (isDone ? this.#settle() : this.#forget()));
    if (isDone) this.#adopt();
    else this.#intent = undefined;
  }

  /** Takes what the pool has for the truth: forgets an intent, makes these changes, notes the transaction id. */
  override(poolId: U64, changes: readonly RowChange[]): void {
    this.#store.transact(() => {
      changeTree(this.#store).clear();
      for (const change of changes) writeRow(this.#store, change);
      this.#writeState({ isIntended: 0, transactionId: Number(poolId) });
    });
    this.#intent = undefined;
    this.#transactionId = Number(poolId);
    for (const change of changes) this.#apply(change);
  }

  /** Idempotent. */
  close(): void {
    this.#store.close();
  }

  #settle(): void {
    const { id, changes } = this.#intent!;
    for (const change of changes) writeRow(this.#store, change);
    changeTree(this.#store).clear();
    this.#writeState({ isIntended: 0, transactionId: id });
  }

  #forget(): void {
    changeTree(this.#store).clear();
    this.#writeState({ isIntended: 0 });
  }

  /** What {@link #settle} has written, in memory. */
  #adopt(): void {
    const { id, changes } = this.#intent!;
    this.#intent = undefined;
    this.#transactionId = id;
    for (const change of changes) this.#apply(change);
  }

  #writeState(change: { isIntended: number; intendedId?: number; transactionId?: number }): void {
    const tree = stateTree(this.#store);
    tree.set(0, { ...tree.get(0)!, ...change });
  }

  #apply(change: RowChange): void {
    const old = this.#rows.get('put' in change ? change.put.id : change.remove);
    if (old !== undefined) this.#byName.delete(old.name);
    if ('put' in change) this.#set(change.put);
    else this.#rows.delete(change.remove);
  }

  #set(record: VolumeRecord): void {
    if (this.#byName.has(record.name)) {
      throw new CorruptionError(`Cannot read the registry: two volumes are called ${JSON.stringify(record.name)}`);
    }
    this.#rows.set(record.id, record);
    this.#byName.set(record.name, record);
  }
}

const stateTree = (store: Store) => store.tree('state', { value: STATE_FIELDS });
const rowTree = (store: Store) => store.tree('volumes', { value: RECORD_FIELDS });
const changeTree = (store: Store) => store.tree('intent', { value: CHANGE_FIELDS });

const NOTHING: Omit<VolumeRecord, 'id'> = {
  name: '',
  sizeBytes: 0,
  readOnly: false,
  origin: undefined,
  created: new Date(0),
  uuid: '',
  receivedUuid: '',
  receivedTo: undefined,
  temporary: false,
};

function toChange(change: RowChange) {
  if ('put' in change) return { kind: PUT, id: change.put.id, ...toStored(change.put) };
  return { kind: REMOVE, id: change.remove, ...toStored({ id: change.remove, ...NOTHING }) };
}

function readChanges(store: Store): RowChange[] {
  return [...changeTree(store).values()].map(({ kind, id, ...stored }) =>
    kind === PUT ? { put: fromStored(id, stored) } : { remove: id },
  );
}

function writeRow(store: Store, change: RowChange): void {
  if ('put' in change) rowTree(store).set(change.put.id, toStored(change.put));
  else rowTree(store).delete(change.remove);
}
