import type { Outcome } from './result.ts';
import type { Stage } from './stage.ts';

/** A row of the table. To add one, list it in a module beside this and in ../nbd.ts. */
export interface NbdRow {
  readonly name: string;
  readonly about: string;
  measure(stage: Stage): Promise<Outcome>;
}
