import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describeError } from '../../kernel/index.ts';
import type { ClosingStep, Lifetime, Random } from '../../kernel/index.ts';
import { Flow } from './flow.ts';
import type { LinkFault, LinkSide } from './link-fault.ts';
import { otherSide } from './link-fault.ts';
import type { LinkRecord } from './link-record.ts';
import type { TargetAddress } from './proxy-target.ts';
import { resetSocket } from './reset-socket.ts';

/** A network has no manners: whoever is connected through it when it ends sees the socket go. */
const SOCKET_STEP: ClosingStep<Socket> = { abort: (socket) => void socket.destroy() };

export interface ProxiedConnectionOptions {
  readonly client: Socket;
  /** Where to dial; what the client sends meanwhile waits. */
  readonly target: TargetAddress;
  readonly record: LinkRecord;
  /** This connection's own: it closes when both sockets are gone, and closing it destroys them. */
  readonly scope: Lifetime;
  readonly random: Random;
}

/** Two sockets, and a flow each way between them. */
export class ProxiedConnection {
  readonly record: LinkRecord;
  readonly #scope: Lifetime;
  readonly #sockets: Readonly<Record<LinkSide, Socket>>;
  readonly #flows: Readonly<Record<LinkSide, Flow>>;

  constructor({ client, target, record, scope, random }: ProxiedConnectionOptions) {
    this.record = record;
    this.#scope = scope;
    this.#sockets = {
      client: scope.own('client', client, SOCKET_STEP),
      target: scope.own('target', connect({ ...target, allowHalfOpen: true, noDelay: true }), SOCKET_STEP),
    };
    const flow = (towards: LinkSide): Flow =>
      new Flow({
        towards,
        source: this.#sockets[otherSide(towards)],
        sink: this.#sockets[towards],
        scope,
        random,
        counted: (bytes) => record.counted(towards, bytes),
        cut: (side) => this.reset(side),
      });
    this.#flows = { client: flow('client'), target: flow('target') };
    this.#sockets.target.on('connect', () => record.sideIs('target', 'open'));
    this.#listenTo('client');
    this.#listenTo('target');
  }

  /** Under this fault from now on; a stall counts from `sinceMs`. */
  impose(fault: LinkFault, sinceMs: number): void {
    for (const flow of this.#flowsTowards(fault.towards)) flow.impose(fault, sinceMs);
  }

  heal(): void {
    for (const flow of this.#flowsTowards(undefined)) flow.heal();
  }

  /** Resets one side, of which the other is not told, or both. */
  reset(side: LinkSide | undefined): void {
    if (side === undefined) {
      resetSocket(this.#sockets.client);
      resetSocket(this.#sockets.target);
      return;
    }
    const other = otherSide(side);
    this.#flows[other].mute();
    this.#flows[side].discard();
    resetSocket(this.#sockets[side]);
    if (this.record[other] === 'ended') this.#sockets[other].end();
  }

  #listenTo(side: LinkSide): void {
    const socket = this.#sockets[side];
    const [flowTo, flowFrom] = [this.#flows[side], this.#flows[otherSide(side)]];
    socket.on('data', (bytes) => flowFrom.take(bytes));
    socket.on('drain', () => flowTo.pump());
    socket.on('end', () => {
      this.record.sideIs(side, 'ended');
      flowFrom.endWith('fin');
      // Nobody will end this socket from the other side: that was reset alone.
      if (flowTo.isSilent) socket.end();
    });
    socket.on('error', (error) => {
      this.#scope.log.debug('socket failed', { side, error: describeError(error) });
    });
    socket.on('close', (hadError) => {
      this.record.sideIs(side, 'gone');
      this.#scope.release(socket);
      flowTo.discard();
      if (hadError || !socket.readableEnded) flowFrom.endWith('reset');
      if (this.record[otherSide(side)] === 'gone') void this.#scope.close('both sockets are gone');
    });
  }

  #flowsTowards(towards: LinkSide | undefined): readonly Flow[] {
    return towards === undefined ? [this.#flows.client, this.#flows.target] : [this.#flows[towards]];
  }
}
