import { describe, expect, it } from 'vitest';
import { ClientAddresses, addressKey, parseTrustProxy } from './client-address.ts';

describe('the address of a client', () => {
  const peer = '10.0.0.5';

  it('L addresses: with nobody believed, whatever a client claims does nothing', () => {
    const addresses = new ClientAddresses(0);
    expect(addresses.of(peer, '1.2.3.4')).toBe(peer);
    expect(addresses.of(peer, ['1.2.3.4', '5.6.7.8'])).toBe(peer);
    expect(new ClientAddresses([]).of(peer, '1.2.3.4')).toBe(peer);
  });

  it('L addresses: so many proxies are believed, from the end, and what stands left of that was written by the client', () => {
    expect(new ClientAddresses(1).of(peer, 'spoofed, 1.2.3.4')).toBe('1.2.3.4');
    expect(new ClientAddresses(2).of(peer, '6.6.6.6, 1.2.3.4, 10.0.0.9')).toBe('1.2.3.4');
    expect(new ClientAddresses(2).of(peer, '1.2.3.4')).toBe('1.2.3.4');
    expect(new ClientAddresses(1).of(peer, undefined)).toBe(peer);
  });

  it('L addresses: proxies are believed by their address, as far as the chain is theirs', () => {
    const addresses = new ClientAddresses(['10.0.0.0/8', '::1']);
    expect(addresses.of(peer, '6.6.6.6, 1.2.3.4')).toBe('1.2.3.4');
    expect(addresses.of(peer, '6.6.6.6, 1.2.3.4, 10.9.9.9')).toBe('1.2.3.4');
    expect(addresses.of('::ffff:10.0.0.5', '1.2.3.4')).toBe('1.2.3.4');
    expect(addresses.of('8.8.8.8', '1.2.3.4')).toBe('8.8.8.8');
    expect(addresses.isProxy('10.1.2.3')).toBe(true);
    expect(addresses.isProxy('11.1.2.3')).toBe(false);
  });

  it.each(['', 'unknown', '<script>', '999.1.1.1', '1.2.3.4.5', ','])(
    'L addresses: an entry that is no address (%j) ends the reading',
    (entry) => {
      expect(new ClientAddresses(3).of(peer, `1.2.3.4, ${entry}`)).toBe(peer);
    },
  );

  it('L addresses: ports, brackets and zones are taken off', () => {
    const addresses = new ClientAddresses(1);
    expect(addresses.of(peer, '1.2.3.4:5555')).toBe('1.2.3.4');
    expect(addresses.of(peer, '[2001:db8::1]:443')).toBe('2001:db8::1');
    expect(addresses.of('fe80::1%eth0', undefined)).toBe('fe80::1');
    expect(addresses.of(undefined, '1.2.3.4')).toBeUndefined();
  });

  it('L addresses: a header of ten thousand addresses is read to its bound', () => {
    const chain = Array<string>(10_000).fill('10.0.0.1').join(',');
    expect(new ClientAddresses(['10.0.0.0/8']).of(peer, chain)).toBe('10.0.0.1');
  });

  it('L addresses: IPv6 is counted by its first 64 bits, however it is written', () => {
    const key = addressKey('2001:db8:0:42::1');
    expect(key).toBe('2001:db8:0:42::/64');
    for (const same of ['2001:DB8:0:42:ffff:1:2:3', '2001:0db8:0000:0042::', '2001:db8::42:a:b:c:d']) {
      expect(addressKey(same)).toBe(key);
    }
    expect(addressKey('2001:db8:0:43::1')).not.toBe(key);
    expect(addressKey('::1')).toBe('0:0:0:0::/64');
    expect(addressKey('64:ff9b::1.2.3.4')).toBe('64:ff9b:0:0::/64');
    expect(addressKey('1.2.3.4')).toBe('1.2.3.4');
  });

  it.each(['nonsense', '10.0.0.0/33', '10.0.0.0/x', '::/129', '', '1.2.3'])(
    'L addresses: %j is neither an address nor a range',
    (text) => {
      expect(parseTrustProxy([text])).toBeUndefined();
    },
  );
});
