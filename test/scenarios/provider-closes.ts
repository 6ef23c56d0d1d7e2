import type { Fault } from '../../src/testing/index.ts';

/** What the provider ends a connection with. Undefined: no code in the frame, read as 1005. 1006: TCP is reset. */
export type Close = readonly [code: number | undefined, reason: string];

export function faultOf([code, reason]: Close): Fault {
  if (code === 1006) return { type: 'reset' };
  return { type: 'close', ...(code === undefined ? {} : { code }), reason };
}

export function described([code, reason]: Close): string {
  if (code === undefined) return '1005 (no code)';
  if (code === 1006) return '1006 (reset)';
  return reason === '' ? `${code}` : `${code} ${reason.split(/[.,(]/, 1)[0]}`;
}
