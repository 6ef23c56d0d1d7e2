import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Lifetime } from '../../kernel/index.ts';
import { ClientAddresses } from './client-address.ts';
import { guardConnections } from './connection-gate.ts';
import type { HttpListener } from '../http/http-listener.ts';
import { Refusals } from './refusals.ts';

const MAX_PER_ADDRESS = 3;

/** A server as far as the gate sees it, and sockets that do what the test says. */
function gate() {
  const server = new EventEmitter();
  const refusals = new Refusals(Lifetime.root({ name: 'server' }));
  const limits = { maxConnections: 100, maxConnectionsPerAddress: MAX_PER_ADDRESS, unlimitedAddresses: [] };
  guardConnections(server as HttpListener, { limits, addresses: new ClientAddresses(0), refusals });
  const refused = (): number => refusals.samples.reduce((sum, { value }) => sum + value, 0);
  return {
    /** Whether it is taken, and its socket. */
    open(address: string, port: number): { socket: Socket; isTaken: boolean } {
      const socket = new Socket();
      Object.defineProperties(socket, { remoteAddress: { value: address }, remotePort: { value: port } });
      const before = refused();
      server.emit('connection', socket);
      return { socket, isTaken: refused() === before };
    },
    upgrade: (socket: Socket): void => void server.emit('upgrade', undefined, socket),
  };
}

it('L who is back from the port of a connection that has not closed yet is counted once', () => {
  const { open } = gate();
  for (let round = 0; round < 2 * MAX_PER_ADDRESS; round += 1) {
    const first = open('192.0.2.1', 50_000);
    const second = open('192.0.2.1', 50_000);
    first.socket.emit('close');
    second.socket.emit('close');
  }
  const again = Array.from({ length: MAX_PER_ADDRESS }, (_, index) => open('192.0.2.1', 50_001 + index));
  expect(again.map(({ isTaken }) => isTaken)).toEqual([true, true, true]);
});

const step = fc.record({
  what: fc.constantFrom('open', 'upgrade', 'close'),
  address: fc.constantFrom('192.0.2.1', '2001:db8::1'),
  port: fc.integer({ min: 1, max: 4 }),
  which: fc.nat(),
});

it('L whatever connections do, nothing is counted of those that are gone', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { open, upgrade } = gate();
      const there: Socket[] = [];
      for (const { what, address, port, which } of steps) {
        const socket = there[which % Math.max(1, there.length)];
        if (what === 'open') there.push(open(address, port).socket);
        else if (what === 'upgrade' && socket !== undefined) upgrade(socket);
        else if (socket !== undefined) there.splice(there.indexOf(socket), 1)[0]?.emit('close');
      }
      for (const socket of there) socket.emit('close');
      for (const address of ['192.0.2.1', '2001:db8::1']) {
        const again = Array.from({ length: MAX_PER_ADDRESS + 1 }, (_, index) => open(address, 100 + index));
        expect(again.map(({ isTaken }) => isTaken)).toEqual([true, true, true, false]);
      }
    }),
  );
});
