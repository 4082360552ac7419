/**
 * The control socket of a served pool. Lines of JSON in both directions:
 *
 * - the server greets: `{"pdata":"pool control","version":1,"pid":12,"pool":"UUID"}`
 * - the client asks: `{"id":1,"method":"create","params":{"name":"a","sizeBytes":1048576}}`
 * - the server answers `{"id":1,"result":…}` or `{"id":1,"error":{"code":"PDATA_STATE","message":"…"}}`, in the order in which it was asked.
 *
 * The methods `send` and `receive` move a volume's stream: the server answers `{"id":1,"stream":true}`, then frames follow, from the server or from the
 * client: a length of 4 bytes, big-endian, and so many bytes; length 0 ends them. Then comes the answer, and the connection ends.
 */
export const CONTROL_VERSION = 1;

export interface Greeting {
  readonly pdata: 'pool control';
  readonly version: number;
  readonly pid: number;
  readonly pool: string;
}

export interface ControlAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly stream?: true;
}
