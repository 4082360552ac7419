/** `thin_roots`: the generations of a pool that are still on its device, and a look at each. */

import type { BlockDevice } from 'persistent-data/io';
import {
  dumpThin,
  type FoundRoots,
  findRoots,
  type MappingCandidate,
  planRepair,
  type RepairPlan,
  repairedView,
  ThinCheck,
  ThinDeltaWriter,
  ThinImage,
  ThinXmlWriter,
  thinDelta,
} from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { CheckFindings } from '../check-findings.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { repairOptions } from '../repair-options.ts';
import { Report } from '../report.ts';
import { writeStdout } from '../standard-output.ts';
import { UsageError } from '../usage-error.ts';

export function run(args: Arguments): number {
  const asJson = args.has('json');
  const report = new Report({ quiet: asJson });
  const device = openMetadataInput(args.operand(0), false);
  const progress = report.progress('blocks');
  try {
    const found = findRoots(device, { onProgress: (done, total) => progress.update(done, total) });
    progress.end();
    const options = repairOptions(args);
    const action = ['list', 'dump', 'diff', 'check'].find((name) => args.has(name));
    if (action === undefined) {
      printRoots(found, asJson);
      return EXIT.ok;
    }
    if (options.mappingRoot === undefined) {
      throw new UsageError(`the following required arguments were not provided:\n  --choose <ROOT[,ROOT]>`);
    }
    const plan = planRepair(found, options);
    if (action === 'dump') dumpThin(repairedView(device, plan), new ThinXmlWriter(writeStdout));
    else if (action === 'list') listDevices(plan, asJson);
    else if (action === 'check') return checkTrees(repairedView(device, plan), asJson);
    else diff(device, repairedView(device, plan), args.number('diff') ?? 0);
  } finally {
    progress.end();
    device.close();
  }
  return EXIT.ok;
}

/** How far a generation can be used: its details fit, its details are lost, or it is the one that the superblock leads to. */
function scoreOf(found: FoundRoots, mapping: MappingCandidate): 'current' | 'whole' | 'no details' {
  const pair = found.pairs.find((each) => each.mapping === mapping);
  if (pair === undefined) return 'no details';
  const { superblock } = found;
  const isCurrent =
    superblock?.dataMappingRoot === mapping.block && superblock.deviceDetailsRoot === pair.details.block;
  return isCurrent ? 'current' : 'whole';
}

function printRoots(found: FoundRoots, asJson: boolean): void {
  const roots = found.mapping.map((mapping) => ({
    mappingRoot: mapping.block,
    detailsRoots: found.pairs.filter((pair) => pair.mapping === mapping).map(({ details }) => details.block),
    nrDevices: mapping.devices.size,
    nrMappings: mapping.nrMappings,
    newestTime: mapping.age,
    state: scoreOf(found, mapping),
  }));
  if (asJson) {
    printJson({ version: 1, superblock: found.superblock === undefined ? 'lost' : 'readable', roots });
    return;
  }
  const rows = roots.map((root) => [
    String(root.mappingRoot),
    root.detailsRoots.join(',') || '-',
    String(root.nrDevices),
    String(root.nrMappings),
    String(root.newestTime),
    root.state,
  ]);
  const lines = [['MAPPINGS', 'DETAILS', 'DEVICES', 'MAPPED', 'TIME', 'STATE'], ...rows];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  writeStdout(
    lines
      .map(
        (line) =>
          `${line
            .map((cell, i) => cell.padEnd(widths[i]!))
            .join('  ')
            .trimEnd()}\n`,
      )
      .join(''),
  );
}

function listDevices({ mapping, details }: RepairPlan, asJson: boolean): void {
  const devices = [...details].map(([id, each]) => ({
    id,
    root: mapping.devices.get(id)?.root,
    mappedBlocks: each.mappedBlocks,
    transactionId: each.transactionId,
    creationTime: each.creationTime,
    snapTime: each.snapshottedTime,
  }));
  if (asJson) {
    printJson({ version: 1, devices });
    return;
  }
  for (const { id, root, mappedBlocks, creationTime, snapTime } of devices) {
    writeStdout(
      `device ${id}: ${mappedBlocks} mappings, root ${root}, created ${creationTime}, snapshot ${snapTime}\n`,
    );
  }
}

/** All nodes and mappings below the chosen roots. Counts of blocks are those of the pool as it is: nothing is said of them. */
function checkTrees(then: BlockDevice, asJson: boolean): number {
  const findings = new CheckFindings();
  for (const finding of new ThinCheck(then, { treesOnly: true }).run()) findings.add(finding);
  const { verdict } = findings;
  if (asJson) printJson({ version: 1, verdict, findings: findings.asJson() });
  else {
    for (const { message } of findings.singles) writeStdout(`${message}\n`);
    writeStdout(verdict === 'clean' ? 'all devices and mappings can be read\n' : '');
  }
  return verdict === 'damaged' ? EXIT.failure : EXIT.ok;
}

/** A device as it was (left) and as it is now (right). */
function diff(now: BlockDevice, then: BlockDevice, id: number): void {
  const before = new ThinImage(then);
  const after = new ThinImage(now);
  const left = before.roots().get(id);
  const right = after.roots().get(id);
  if (left === undefined) throw new Error(`Unable to find mapping tree for thin device ${id} below the chosen root`);
  if (right === undefined) throw new Error(`Unable to find mapping tree for thin device ${id} in the pool as it is`);
  const { time, transactionId: transaction, dataBlockSize, dataSpaceMapRoot } = after.superblock;
  const writer = new ThinDeltaWriter(writeStdout, { isVerbose: true });
  writer.begin(
    { uuid: '', time, transaction, dataBlockSize, nrDataBlocks: dataSpaceMapRoot.nrBlocks },
    { root: left },
    { root: right },
  );
  thinDelta(after, left, right, writer.visit, { isExact: true });
  writer.end();
}
