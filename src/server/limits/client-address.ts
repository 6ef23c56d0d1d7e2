import { BlockList, isIP } from 'node:net';

/** How many proxies stand before a server, or their addresses and ranges (`10.0.0.0/8`). 0: none. */
export type TrustProxy = number | readonly string[];

/** Whether an address is one of a set. */
export type AddressMatch = (address: string) => boolean;

/** How much of an IPv6 address names a household or a company; what is behind it its owner takes as they like. */
const IPV6_PREFIX_GROUPS = 4;

/** No chain of proxies is longer than this; what a header holds beyond it is not looked at. */
const MAX_FORWARDED_ADDRESSES = 32;

/** Which addresses are meant; undefined when one of them is neither an address nor a range. */
export function parseTrustProxy(trusted: TrustProxy): AddressMatch | undefined {
  if (typeof trusted === 'number') return () => false;
  const list = new BlockList();
  for (const each of trusted) {
    const [address = '', prefix] = each.split('/', 2);
    const version = isIP(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const maxBits = version === 4 ? 32 : 128;
    if (version === 0 || (bits !== undefined && !(Number.isInteger(bits) && bits >= 0 && bits <= maxBits))) {
      return undefined;
    }
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

/** Finds the address of the client that a request came from, through the proxies that are believed. */
export class ClientAddresses {
  readonly #hops: number;
  readonly #isProxy: AddressMatch;

  constructor(trusted: TrustProxy) {
    this.#hops = typeof trusted === 'number' ? trusted : 0;
    this.#isProxy = parseTrustProxy(trusted) ?? ((): boolean => false);
  }

  /**
   * The address the request came from; undefined where that is not known, because it did not come over a socket.
   *
   * `X-Forwarded-For` is read from its end: each proxy adds there whom it was asked by, and what stands left of what a
   * proxy of ours has added was written by the client. An entry that is no address ends the reading.
   */
  of(remote: string | undefined, forwardedFor: string | readonly string[] | undefined): string | undefined {
    if (remote === undefined) return undefined;
    let address = plainAddress(remote);
    const claimed = forwardedFor === undefined ? [] : [forwardedFor].flat().join(',').split(',');
    const trail = claimed.slice(-MAX_FORWARDED_ADDRESSES).reverse();
    for (const [hop, entry] of trail.entries()) {
      if (hop >= this.#hops && !this.#isProxy(address)) break;
      const next = plainAddress(entry);
      if (isIP(next) === 0) break;
      address = next;
    }
    return address;
  }

  /** Whether the peer of a connection is a proxy that is believed: many clients stand behind it. */
  isProxy(remote: string): boolean {
    return this.#hops > 0 || this.#isProxy(plainAddress(remote));
  }
}

/** Under what an address is counted: IPv4 by the address, IPv6 by the first 64 bits of it. */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end stands for two groups.
  const afterGroups = after.length + (after.at(-1)?.includes('.') === true ? 1 : 0);
  const zeros = tail === undefined ? 0 : 8 - before.length - afterGroups;
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  const prefix = groups.slice(0, IPV6_PREFIX_GROUPS).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${prefix.join(':')}::/64`;
}

/** Without brackets, port and zone; an IPv4 address that came in the form of IPv6 as what it is. */
function plainAddress(written: string): string {
  const text = written.trim();
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1];
  const address = (bracketed ?? text).split('%', 1)[0] ?? '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address;
}
