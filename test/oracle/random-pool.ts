/**
 * Random lives of a pool, as guest scripts that the kernel runs and the replay harness understands. Every commit is known: each
 * piece of work follows at once on a single write and a flush, and is short (see `make-golden/scripted.sh`).
 */

/** How long and how wide a life is. */
export interface RandomPoolOptions {
  readonly seed: number;
  /** Images taken; between two of them lie `piecesPerStep` pieces of work. */
  readonly nrSteps: number;
  readonly piecesPerStep: number;
}

interface Life {
  readonly random: (end: number) => number;
  readonly lines: string[];
  /** All devices by id; whether each is open. */
  readonly devices: Map<number, boolean>;
  nrDevices: number;
  nextBlock: number;
  transactionId: number;
  held: boolean;
}

/** The pool of all lives: 4 GiB of data, so that no life fills it. */
const NR_DATA_BLOCKS = 65536;
const BLOCK_BYTES = 65536;
/** Virtual blocks in which most writes and discards fall; single fresh ones lie beyond. */
const NR_BUSY_BLOCKS = 1200;

function generator(seed: number): (end: number) => number {
  let x = (seed * 2654435761 + 1) >>> 0;
  return (end) => {
    // xorshift32: good enough to choose among a few things, the same everywhere.
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % end;
  };
}

const pick = (life: Life, ids: readonly number[]) => ids[life.random(ids.length)];
const open = (life: Life) => [...life.devices].flatMap(([id, isOpen]) => (isOpen ? [id] : []));
const closed = (life: Life) => [...life.devices].flatMap(([id, isOpen]) => (isOpen ? [] : [id]));

function write(life: Life, id: number, blocks: readonly number[]): void {
  life.lines.push(`blockio write /dev/mapper/thin${id} thin-${id} ${BLOCK_BYTES} 512 ${blocks.join(' ')}`);
}

const flush = (life: Life, id: number) => life.lines.push(`flush ${id}`);

/** A single write and a flush: whether a timed commit came before or not, the bytes are the same now. */
function settle(life: Life, id: number): void {
  write(life, id, [NR_BUSY_BLOCKS + life.nextBlock]);
  life.nextBlock += 1;
  flush(life, id);
}

function openDevice(life: Life, id: number): void {
  life.lines.push(`dm thin${id} 0 ${NR_DATA_BLOCKS * 128} thin /dev/mapper/pool ${id}`);
  life.devices.set(id, true);
}

function newId(life: Life): number {
  life.nrDevices += 1;
  // Ids far apart and in no order, but all different: the multiplier is odd.
  return (life.nrDevices * 7654321) % 2 ** 24;
}

/** The pieces of work. Each returns false when it cannot be done now. */
const PIECES: ((life: Life) => boolean)[] = [
  function create(life) {
    const id = newId(life);
    life.lines.push(`msg pool create_thin ${id}`);
    life.devices.set(id, false);
    return true;
  },
  function snapshot(life) {
    const origin = pick(life, [...life.devices.keys()]);
    if (origin === undefined) return false;
    const id = newId(life);
    const isOpen = life.devices.get(origin);
    if (isOpen) life.lines.push(`run dmsetup suspend thin${origin}`);
    life.lines.push(`msg pool create_snap ${id} ${origin}`);
    if (isOpen) life.lines.push(`run dmsetup resume thin${origin}`);
    life.devices.set(id, false);
    return true;
  },
  function openOne(life) {
    const id = pick(life, closed(life));
    if (id === undefined) return false;
    openDevice(life, id);
    return true;
  },
  function closeOne(life) {
    const id = pick(life, open(life));
    if (id === undefined || open(life).length < 3) return false;
    life.lines.push(`run dmsetup remove thin${id}`);
    life.devices.set(id, false);
    return true;
  },
  function writeSome(life) {
    const id = pick(life, open(life));
    if (id === undefined) return false;
    settle(life, id);
    write(
      life,
      id,
      Array.from({ length: 1 + life.random(30) }, () => life.random(NR_BUSY_BLOCKS)),
    );
    flush(life, id);
    return true;
  },
  function writeRun(life) {
    const id = pick(life, open(life));
    if (id === undefined) return false;
    settle(life, id);
    const first = life.random(NR_BUSY_BLOCKS - 40);
    write(
      life,
      id,
      Array.from({ length: 40 }, (_, i) => first + i),
    );
    flush(life, id);
    return true;
  },
  function writeSeveral(life) {
    const ids = open(life);
    if (ids.length < 2) return false;
    settle(life, ids[0]!);
    // Few, as each starts a process in the guest, and all together have less than a second.
    write(life, pick(life, ids.slice(1))!, [life.random(NR_BUSY_BLOCKS)]);
    // A fresh block, so that this device changed and its flush commits both.
    write(life, ids[0]!, [NR_BUSY_BLOCKS + life.nextBlock]);
    life.nextBlock += 1;
    flush(life, ids[0]!);
    return true;
  },
  function discard(life) {
    const id = pick(life, open(life));
    if (id === undefined) return false;
    settle(life, id);
    const begin = life.random(NR_BUSY_BLOCKS);
    const count = 1 + life.random(life.random(4) === 0 ? 400 : 60);
    const range = `-o ${begin * BLOCK_BYTES} -l ${count * BLOCK_BYTES}`;
    life.lines.push(`blkdiscard ${range} /dev/mapper/thin${id}; flush ${id}`);
    return true;
  },
  function remove(life) {
    const id = pick(life, closed(life));
    if (id === undefined || life.devices.size < 4) return false;
    life.lines.push(`msg pool delete ${id}`);
    life.devices.delete(id);
    return true;
  },
  function metadataSnapshot(life) {
    life.lines.push(`msg pool ${life.held ? 'release' : 'reserve'}_metadata_snap`);
    life.held = !life.held;
    return true;
  },
  function transactionId(life) {
    life.lines.push(`msg pool set_transaction_id ${life.transactionId} ${life.transactionId + 1}`);
    life.transactionId += 1;
    return true;
  },
  function reopen(life) {
    if (life.random(3) > 0) return false;
    const ids = open(life);
    for (const id of ids) life.lines.push(`run dmsetup remove thin${id}`);
    life.lines.push('run dmsetup remove pool', POOL_LINE);
    for (const id of ids) openDevice(life, id);
    return true;
  },
];

/** How often each piece comes, in the order of {@link PIECES}. */
const WEIGHTS = [2, 3, 4, 1, 8, 5, 5, 6, 2, 1, 1, 1];

const POOL_LINE = `dm pool 0 ${NR_DATA_BLOCKS * 128} thin-pool /dev/vda /dev/vdb 128 0 1 skip_block_zeroing`;

const PREAMBLE = [
  '. /lib/oracle.sh',
  'OUT=/dev/vdc',
  'flush() { dd if=/dev/null of=/dev/mapper/thin$1 conv=notrunc,fsync 2>/dev/null; }',
  'step() { save "$1" /dev/vda; }',
];

/** The guest script of one life; `parseScript` reads it too. Disks: vda metadata (zeroed), vdb data, vdc the images. */
export function randomPoolScript({ seed, nrSteps, piecesPerStep }: RandomPoolOptions): string {
  const life: Life = {
    ...{ random: generator(seed), lines: [...PREAMBLE, POOL_LINE], devices: new Map<number, boolean>() },
    ...{ nrDevices: seed * 1000, nextBlock: 0, transactionId: 0, held: false },
  };
  const choices = PIECES.flatMap((piece, index) => Array.from({ length: WEIGHTS[index]! }, () => piece));
  for (let step = 0; step < nrSteps; step += 1) {
    for (let done = 0; done < piecesPerStep; ) {
      if (choices[life.random(choices.length)]!(life)) done += 1;
    }
    life.lines.push(`step ${step}`);
  }
  for (const id of open(life)) life.lines.push(`run dmsetup remove thin${id}`);
  life.lines.push('run dmsetup remove pool');
  return `${life.lines.join('\n')}\n`;
}
