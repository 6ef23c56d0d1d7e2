import assert from 'node:assert/strict';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { FaultProxy } from '../../src/testing/index.ts';
import { until } from '../support/live-server.ts';
import { TcpEnd, TcpPeer } from '../support/tcp-end.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING } from './words.ts';

interface ProxiedScene {
  readonly proxy: FaultProxy;
  readonly client: TcpEnd;
  /** The target's end of the same connection. */
  readonly target: TcpEnd;
}

/** What an end was told, before anything of its own was closed. */
function toldTo({ ended, failure }: TcpEnd): string {
  if (failure !== undefined) return failure;
  return ended ? 'FIN' : NOTHING;
}

function proxied(
  name: string,
  why: string,
  ask: (scene: ProxiedScene) => unknown,
  isOver: (scene: ProxiedScene) => boolean,
): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const owner = Lifetime.root({ name: 'proxy', clock });
      await using peer = await TcpPeer.listen();
      const proxy = await FaultProxy.start({ owner, target: { host: '127.0.0.1', port: peer.port } });
      using client = TcpEnd.dial(proxy.port);
      client.send('hello');
      const target = await peer.end();
      await target.has('hello');
      const scene = { proxy, client, target };
      await ask(scene);
      await until('both ends were told what there is to tell', () => isOver(scene));
      const told = [toldTo(client), toldTo(target)];
      const closed = owner.close();
      await clock.advance(10_000);
      await closed;
      assert.deepEqual(owner.resources(), []);
      assert.equal(proxy.sockets, 0);
      assert.equal(clock.pendingTimers, 0);
      return told;
    },
  };
}

const bothGone = ({ proxy }: ProxiedScene): boolean => proxy.sockets === 0;
const bothTold = ({ client, target }: ProxiedScene): boolean =>
  [client, target].every((end) => toldTo(end) !== NOTHING);

export const faultProxy: WayTable = {
  name: 'fault-proxy',
  columns: ['how it ends', 'the client is told', 'the target is told', 'what it means'],
  ways: [
    proxied(
      'the client ends its half, the target answers with its own',
      'A FIN is passed on, and the other direction goes on until its own.',
      async ({ client, target }) => {
        client.socket.end();
        await until('the target is told', () => target.ended);
        target.send('the rest');
        target.socket.end();
        await client.has('the rest');
      },
      ({ proxy, client }) => client.ended && proxy.sockets === 0,
    ),
    proxied(
      'the target resets it',
      'What one side does is done to the other.',
      ({ target }) => target.socket.resetAndDestroy(),
      ({ proxy, client }) => client.closed && proxy.sockets === 0,
    ),
    proxied(
      '`reset()`',
      'On both sides at once.',
      ({ proxy }) => proxy.reset(),
      (scene) => bothTold(scene) && bothGone(scene),
    ),
    proxied(
      "`reset({ side: 'client' })`",
      'The target is not told: its half stays until the proxy ends.',
      ({ proxy }) => proxy.reset({ side: 'client' }),
      ({ client }) => client.closed,
    ),
    proxied(
      '`halfOpen`, and the client ends its half',
      'Nobody is told anything until `heal()`, or until the proxy ends.',
      ({ proxy, client }) => {
        proxy.inject({ type: 'halfOpen' });
        client.socket.end();
      },
      ({ proxy }) => [...proxy.connections].every((link) => link.client === 'ended'),
    ),
    proxied(
      'the proxy closes, or aborts',
      'Both sockets are destroyed: a proxy has no goodbye of its own.',
      ({ proxy }) => void proxy.close(),
      bothTold,
    ),
  ],
};
