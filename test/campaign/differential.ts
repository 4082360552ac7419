/** Random pools through our tools and Debian's thin-provisioning-tools 0.9.0: same verdicts, same dumps, each other's restores. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import {
  auditThin,
  damageThin,
  type Random,
  randomThinScript,
  THIN_DAMAGES,
  ThinPatient,
  ThinPlayer,
} from 'persistent-data/testing';
import { checkThin, dumpThinXml, restoreThinXml } from 'persistent-data/thin';
import { peer } from '../peers.ts';
import { type Campaign, Failure, type Run } from './campaign.ts';
import { playerOptions } from './thin-pool.ts';

interface Tools {
  readonly check: string;
  readonly dump: string;
  readonly restore: string;
}

function findTools(): Tools | undefined {
  const [check, dump, restore] = (['thin_check', 'thin_dump', 'thin_restore'] as const).map(peer);
  return check && dump && restore ? { check, dump, restore } : undefined;
}

/** The texts without what the versions print differently, and without the sharing that only 1.x shows (TOOLS, differences). */
function plainDump(xml: string): string {
  return xml
    .replace(/ flags="0"/, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** One line for each mapping of each device, whatever defs, runs and order a dump has. */
function mappingsOf(device: MemoryDevice): string {
  const { pool } = auditThin(device);
  const devices = pool?.devices.map((each) => `${each.id} ${each.creationTime} ${each.mappings.join(' ')}`);
  return `${pool?.time} ${pool?.transactionId} ${pool?.nrDataBlocks}\n${devices?.join('\n')}`;
}

async function soundPool(random: Random): Promise<MemoryDevice> {
  const device = new MemoryDevice({ nrBlocks: random.pick([128, 256, 512]) });
  const nrDataBlocks = random.pick([500, 5000, 20_000]);
  const player = ThinPlayer.format(device, playerOptions(device.nrBlocks, nrDataBlocks, random));
  const shape = { nrSteps: random.pick([10, 60, 150]), maxWrite: random.pick([10, 150]), nrVirtualBlocks: 4000 };
  await player.playAll([...randomThinScript(random, { ...shape, nrIds: random.pick([4, 40]) }), ['commit']]);
  player.metadata.close();
  return device;
}

/** What version 0.9.0 does not look at: data space maps, and whether mappings and details agree (TOOLS, differences). */
function isBeyondOldCheck(finding: Finding): boolean {
  if (finding.code === 'thin.mapped-blocks' || finding.code === 'thin.ids') return true;
  // A mapping beyond the last data block, and what follows from it for its device.
  if (finding.code === 'thin.data-block' || finding.code === 'thin.device') return true;
  return /data space map|metadata snapshot/i.test(finding.message) || finding.code.startsWith('space-map');
}

class Comparison {
  readonly #tools: Tools;
  readonly #folder: string;
  readonly #file: string;

  constructor(tools: Tools, folder: string) {
    this.#tools = tools;
    this.#folder = folder;
    this.#file = join(folder, 'pool');
  }

  #run(program: string, ...args: string[]): { readonly status: number; readonly output: string } {
    const { status, stdout, stderr } = spawnSync(program, args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      timeout: 60_000,
    });
    return { status: status ?? -1, output: stdout + stderr };
  }

  /** A sound pool: all tools take it, the dumps agree, and each side restores what the other dumped. */
  sound(device: MemoryDevice): void {
    writeFileSync(this.#file, device.toBytes());
    const ours = [...checkThin(device)].filter(({ severity }) => severity !== 'warning');
    if (ours.length > 0) throw new Failure(`our check finds in a sound pool: ${ours[0]?.message}`, '');
    const check = this.#run(this.#tools.check, this.#file);
    if (check.status !== 0) throw new Failure(`thin_check finds in a sound pool: ${check.output.trim()}`, '');
    const dump = this.#run(this.#tools.dump, this.#file);
    if (dump.status !== 0) throw new Failure(`thin_dump: ${dump.output.trim()}`, '');
    const xml = dumpThinXml(device);
    if (!xml.includes('<def') && plainDump(dump.output) !== plainDump(xml)) {
      throw new Failure(`the dumps differ: theirs\n${dump.output.slice(0, 500)}\nours\n${xml.slice(0, 500)}`, '');
    }
    this.#restoreByUs(device, dump.output);
    this.#restoreByUs(device, xml);
    this.#restoreByThem(device, xml);
  }

  #restoreByUs(device: MemoryDevice, xml: string): void {
    const restored = new MemoryDevice({ nrBlocks: 2 * device.nrBlocks });
    restoreThinXml(restored, xml, { cacheBlocks: 64 });
    this.#expectSame(device, restored, 'our restore');
    writeFileSync(this.#file, restored.toBytes());
    const check = this.#run(this.#tools.check, this.#file);
    if (check.status !== 0) throw new Failure(`thin_check finds in what we restored: ${check.output.trim()}`, '');
  }

  #restoreByThem(device: MemoryDevice, xml: string): void {
    // Version 0.9.0 refuses the defs that version 1.x and we write for shared leaves ("unknown tag type").
    if (xml.includes('<def')) return;
    const text = join(this.#folder, 'xml');
    writeFileSync(text, xml);
    writeFileSync(this.#file, '');
    truncateSync(this.#file, 2 * device.nrBlocks * 4096);
    const { status, output } = this.#run(this.#tools.restore, '-i', text, '-o', this.#file);
    if (status !== 0) throw new Failure(`thin_restore of our dump: ${output.trim()}`, '');
    const restored = MemoryDevice.from(new Uint8Array(readFileSync(this.#file)));
    this.#expectSame(device, restored, 'thin_restore');
    const ours = [...checkThin(restored, { ignoreNonFatal: true })].filter(({ severity }) => severity === 'fatal');
    if (ours.length > 0) throw new Failure(`our check finds in what thin_restore made: ${ours[0]?.message}`, '');
  }

  #expectSame(device: MemoryDevice, restored: MemoryDevice, what: string): void {
    const [wanted, found] = [mappingsOf(device), mappingsOf(restored)];
    if (wanted !== found) throw new Failure(`${what} makes\n${found.slice(0, 400)}\nof\n${wanted.slice(0, 400)}`, '');
  }

  /** A damaged pool: whoever finds something, the other does, but for what the old version does not look at. */
  damaged(device: MemoryDevice, done: string): void {
    writeFileSync(this.#file, device.toBytes());
    const ours = [...checkThin(device)].filter(({ severity }) => severity !== 'warning');
    const { status, output } = this.#run(this.#tools.check, this.#file);
    if (status < 0) return;
    if (status !== 0 && ours.length === 0) throw new Failure(`only thin_check finds something: ${output.trim()}`, done);
    const beyond = ours.find((finding) => !isBeyondOldCheck(finding));
    if (status === 0 && beyond !== undefined) {
      throw new Failure(`only our check finds something: ${beyond.code} ${beyond.message}`, done);
    }
  }
}

const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** See the top of this file. */
export const DIFFERENTIAL: Campaign = {
  name: 'differential',
  states: 'pools',
  hangSeconds: 120,
  ci: { states: 200 },
  missing: () => (findTools() ? undefined : 'thin-provisioning-tools are not installed: `npm run peers` installs them'),
  async run({ random, count, note }: Run): Promise<void> {
    const tools = findTools();
    if (tools === undefined) throw new Error('thin-provisioning-tools are gone');
    const folder = folders[0] ?? mkdtempSync(join(tmpdir(), 'pdata-differential-'));
    if (folders.length === 0) folders.push(folder);
    const comparison = new Comparison(tools, folder);
    const device = await soundPool(random);
    comparison.sound(device);
    count(1);
    const patient = new ThinPatient(device);
    for (let i = 0; i < 3; i += 1) {
      const damaged = device.fork();
      const kind = random.pick(THIN_DAMAGES);
      const done = damageThin(patient, damaged, kind, random);
      if (done === undefined) continue;
      comparison.damaged(damaged, `${kind}: ${done}`);
      note('damaged');
      count(1);
    }
  },
};
