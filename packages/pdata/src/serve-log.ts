/** What a server says while it runs: lines for people on standard error, or lines of JSON on standard output. */

import { unixMs } from 'persistent-data/base';
import { writeStdout } from './standard-output.ts';

export type LogLevel = 'info' | 'warning' | 'error';

export interface LogEvent {
  readonly level: LogLevel;
  readonly event: string;
  readonly message?: string;
  readonly [field: string]: unknown;
}

export class ServeLog {
  readonly #isJson: boolean;

  constructor(options: { readonly json: boolean }) {
    this.#isJson = options.json;
  }

  /** Notes an event. */
  readonly write = (event: LogEvent): void => {
    const time = new Date(unixMs()).toISOString();
    if (this.#isJson) {
      writeStdout(`${JSON.stringify({ version: 1, time, ...event })}\n`);
      return;
    }
    const { level, event: what, message, ...fields } = event;
    const details = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
    const text = [what, ...details, ...(message === undefined ? [] : [message])].join(' ');
    process.stderr.write(`${time} ${level === 'info' ? '' : `${level}: `}${text}\n`);
  };

  /** A text for people; nothing with JSON. */
  say(text: string): void {
    if (!this.#isJson) writeStdout(`${text}\n`);
  }
}
