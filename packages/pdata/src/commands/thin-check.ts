/** `thin_check`: checks metadata; repairs what is trivial when asked to. */

import type { Finding } from 'persistent-data';
import { ThinCheck, type ThinCheckOptions, type ThinCheckPhase, type ThinRepairOutcome } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInPlace, openMetadataInput } from '../files.ts';
import { Report } from '../report.ts';
import { writeStdout } from '../standard-output.ts';

/** What is said when a phase of the check begins; some begin silently. */
const TITLES: Readonly<Partial<Record<ThinCheckPhase, string>>> = {
  details: 'device details tree',
  mappings: 'mapping tree',
  'data-space-map': 'data space map',
  'metadata-space-map': 'metadata space map',
};

/** The shape of `--json`; `version` rises when a field changes its meaning or goes. */
interface CheckResult {
  readonly version: 1;
  readonly verdict: 'clean' | 'leaks' | 'damaged';
  readonly transactionId?: number | string;
  readonly freeMetadataBlocks?: number;
  readonly needsCheck?: boolean;
  readonly findings: readonly object[];
  readonly repaired?: ThinRepairOutcome;
}

export function run(args: Arguments): number {
  const isRepair = args.has('auto-repair') || args.has('clear-needs-check-flag');
  const device = isRepair
    ? openMetadataInPlace(args.operand(0))
    : openMetadataInput(args.operand(0), args.has('metadata-snap'));
  try {
    return new Command(args, isRepair).check(device);
  } finally {
    device.close();
  }
}

class Command {
  readonly #args: Arguments;
  readonly #isRepair: boolean;
  readonly #asJson: boolean;
  readonly #report: Report;
  readonly #findings: Finding[] = [];
  readonly #leaks = { data: 0, metadata: 0 };
  #phase: ThinCheckPhase | undefined;

  constructor(args: Arguments, isRepair: boolean) {
    this.#args = args;
    this.#isRepair = isRepair;
    this.#asJson = args.has('json');
    this.#report = new Report({ quiet: args.has('quiet') || this.#asJson });
  }

  check(device: ConstructorParameters<typeof ThinCheck>[0]): number {
    const progress = this.#report.progress('blocks');
    const check = new ThinCheck(device, {
      ...this.#options(),
      onPhase: (phase) => this.#beginPhase(check, phase),
      onProgress: (done, total) => progress.update(done, total),
    });
    try {
      for (const finding of check.run()) this.#take(finding);
      this.#endPhase();
    } finally {
      progress.end();
    }
    // Without a tree to check no phase has begun.
    if (this.#args.has('super-block-only')) this.#sayHeader(check);
    const { verdict } = this;
    const repaired = this.#isRepair && verdict !== 'damaged' && check.needsRepair ? this.#repair(check) : undefined;
    if (this.#asJson) this.#printJson(check, repaired);
    if (verdict === 'damaged') return EXIT.failure;
    if (verdict === 'clean' || repaired !== undefined || this.#args.has('ignore-non-fatal-errors')) return EXIT.ok;
    this.#sayLeaks();
    return EXIT.failure;
  }

  get verdict(): CheckResult['verdict'] {
    if (this.#findings.some(({ severity }) => severity === 'fatal')) return 'damaged';
    return this.#findings.some(({ severity }) => severity === 'leak') ? 'leaks' : 'clean';
  }

  #options(): ThinCheckOptions {
    const args = this.#args;
    const overrideMappingRoot = args.number('override-mapping-root');
    const overrideDetailsRoot = args.number('override-details-root');
    return {
      superblockOnly: args.has('super-block-only'),
      skipMappings: args.has('skip-mappings'),
      metadataSnapshot: args.has('metadata-snap'),
      ignoreNonFatal: args.has('ignore-non-fatal-errors'),
      ...(overrideMappingRoot === undefined ? {} : { overrideMappingRoot }),
      ...(overrideDetailsRoot === undefined ? {} : { overrideDetailsRoot }),
    };
  }

  #beginPhase(check: ThinCheck, phase: ThinCheckPhase): void {
    this.#endPhase();
    this.#phase = phase;
    if (phase === 'details') {
      this.#sayHeader(check);
      this.#report.title('Checking thin metadata');
    }
    const title = TITLES[phase];
    if (title !== undefined) this.#report.title(title);
  }

  #sayHeader({ superblock }: ThinCheck): void {
    if (superblock === undefined || this.#args.has('quiet') || this.#asJson) return;
    const { nrBlocks, nrAllocated } = superblock.metadataSpaceMapRoot;
    writeStdout(`TRANSACTION_ID=${superblock.transactionId}\nMETADATA_FREE_BLOCKS=${nrBlocks - nrAllocated}\n`);
  }

  #take(finding: Finding): void {
    this.#findings.push(finding);
    const { severity, code, message } = finding;
    if (severity === 'leak') this.#leaks[this.#phase === 'data-space-map' ? 'data' : 'metadata']++;
    else if (code === 'thin.superblock' && message.includes('csum')) this.#report.warn('bad checksum in superblock');
    else this.#report.warn(message);
  }

  /** Leaks are counted while a space map is gone through, and told when that is over. */
  #endPhase(): void {
    const { data, metadata } = this.#leaks;
    if (this.#phase === 'data-space-map' && data > 0) this.#report.warn(`${data} data blocks have leaked.`);
    if (this.#phase === 'metadata-space-map' && metadata > 0) {
      this.#report.warn(`${metadata} metadata blocks have leaked.`);
    }
  }

  #sayLeaks(): void {
    const space = this.#leaks.data > 0 ? 'data' : 'metadata';
    this.#report.warn(`${space} space map contains leaks\nperhaps you wanted to run with --auto-repair`);
  }

  #repair(check: ThinCheck): ThinRepairOutcome {
    const outcome = check.repair();
    if (outcome.nrDataLeaks > 0) this.#report.title('Repairing data leaks.');
    if (outcome.nrMetadataLeaks > 0) this.#report.title('Repairing metadata leaks.');
    if (outcome.clearedNeedsCheck) this.#report.title('Cleared needs_check flag');
    return outcome;
  }

  #printJson({ superblock }: ThinCheck, repaired: ThinRepairOutcome | undefined): void {
    const result: CheckResult = {
      version: 1,
      verdict: this.verdict,
      ...(superblock === undefined
        ? {}
        : {
            transactionId: Number(superblock.transactionId),
            freeMetadataBlocks: superblock.metadataSpaceMapRoot.nrBlocks - superblock.metadataSpaceMapRoot.nrAllocated,
            needsCheck: (superblock.flags & 1) !== 0,
          }),
      findings: this.#findings,
      ...(repaired === undefined ? {} : { repaired }),
    };
    // A key beyond 2^53 is a bigint: as text it stays exact.
    const text = JSON.stringify(result, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 2);
    writeStdout(`${text}\n`);
  }
}
