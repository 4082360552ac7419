// One store, one repetition, in a process of its own: child.mjs SUITE DRIVER {"n", "dir", "cacheBytes", "only"}
// Prints a line of JSON for each workload, and exits with 3 when a sum is wrong.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const [suite, name, json] = process.argv.slice(2);
const options = JSON.parse(json);

/** What the workloads get. */
class Bench {
  n = options.n;
  cacheBytes = options.cacheBytes;
  name = name;
  #files = [];

  wants(...workloads) {
    return options.only === undefined || workloads.some((workload) => options.only.includes(workload));
  }

  /** A path at which nothing is. All of them are removed at the end. */
  path(of) {
    mkdirSync(options.dir, { recursive: true });
    const path = join(options.dir, `${name}-${of}-${process.pid}`);
    this.#files.push(path);
    return path;
  }

  async open(path) {
    const drivers = readdirSync(join(import.meta.dirname, 'drivers')).map((file) => file.slice(0, -4));
    const file = drivers.find((driver) => name.split('-')[0] === driver);
    const { make } = await import(`./drivers/${file}.mjs`);
    const driver = make(name);
    await driver.open({ path, cacheBytes: this.cacheBytes });
    // What a store that was closed has left in JavaScript's memory is not this one's. Only now: with the first object of a kind alive, its code is kept.
    globalThis.gc?.();
    return driver;
  }

  /** Times `work`, which is `ops` operations, and reports it: the median of as many rounds, where it can be done again. */
  async time(workload, ops, work, rounds = 1) {
    const times = [];
    let result;
    let cpu = 0;
    for (let round = 0; round < rounds; round++) {
      globalThis.gc?.();
      const before = process.cpuUsage();
      const begin = process.hrtime.bigint();
      result = await work();
      times.push(Number(process.hrtime.bigint() - begin));
      const { user, system } = process.cpuUsage(before);
      cpu += (user + system) * 1000;
    }
    times.sort((a, b) => a - b);
    this.report(workload, { ns: times[rounds >> 1] / ops, cpu_ns: cpu / rounds / ops });
    return result;
  }

  /** Reports the median of the times that `work` takes when it is done again and again. */
  async timeEach(workload, rounds, work) {
    globalThis.gc?.();
    const times = [];
    const cpu = process.cpuUsage();
    for (let round = 0; round < rounds; round++) {
      const begin = process.hrtime.bigint();
      const result = work(round);
      if (typeof result?.then === 'function') await result;
      times.push(Number(process.hrtime.bigint() - begin));
    }
    const { user, system } = process.cpuUsage(cpu);
    times.sort((a, b) => a - b);
    const p99 = times[Math.floor(0.99 * rounds)];
    this.report(workload, { ns: times[rounds >> 1], p99, cpu_ns: ((user + system) * 1000) / rounds });
  }

  report(workload, figures) {
    if (!this.wants(workload)) return;
    const rss = Math.round(process.resourceUsage().maxRSS / 1024);
    console.log(JSON.stringify({ driver: name, workload, n: this.n, ...figures, rss_mb: rss }));
  }

  bytes(driver) {
    return driver.files().reduce((sum, path) => sum + sizeOf(path), 0);
  }

  expect(what, found, wanted) {
    if (found === wanted) return;
    console.error(`${name}: wrong result: ${what} is ${found}, ${wanted} is wanted`);
    process.exitCode = 3;
  }

  clean() {
    for (const path of this.#files)
      for (const end of ['', '-wal', '-shm', '-lock', '.lock', '.copy', '.copy-lock', '.compact'])
        rmSync(path + end, { recursive: true, force: true });
  }
}

/** Bytes that a file or folder takes on the disk. */
function sizeOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.blocks * 512;
  return readdirSync(path).reduce((sum, file) => sum + sizeOf(join(path, file)), 0);
}

const bench = new Bench();
try {
  const { run } = await import(`./suites/${suite}.mjs`);
  await run(bench);
} finally {
  bench.clean();
}
// Some peers keep threads.
process.exit();
