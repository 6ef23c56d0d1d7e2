import { describe, expect, it } from 'vitest';
import { CONNECTION_EVENTS, OUTAGE } from '../../../test/support/connection-events.ts';
import { VirtualClock } from '../../kernel/index.ts';
import type { ConnectionEventBody } from '../../protocol/index.ts';
import type { AgentSession, SessionCloseReport } from '../../session/index.ts';
import { NO_USAGE } from '../../session/usage.ts';
import { ServerMetrics } from './metrics.ts';
import { LabelledCounter, formatMetric } from './prometheus.ts';

/** A live session that tells what the test says. */
class Teller {
  readonly clock = new VirtualClock();
  readonly #listeners: { readonly name: string; readonly listener: (value: unknown) => void }[] = [];
  readonly session = {
    clock: this.clock,
    model: { id: 'm' },
    session: { appName: 'a' },
    on: (name: string, listener: (value: unknown) => void) => {
      this.#listeners.push({ name, listener });
      return () => undefined;
    },
  } as unknown as AgentSession;

  tell(...events: readonly ConnectionEventBody[]): this {
    for (const event of events) this.#emit('event', { seq: 1, atMs: 0, author: 'a', turn: 1, ...event });
    return this;
  }

  close(reason: SessionCloseReport['reason']): void {
    this.#emit('close', { reason, durationMs: 0, usage: NO_USAGE, unsent: { requests: 0, audioMs: 0 } });
  }

  #emit(name: string, value: unknown): void {
    for (const each of this.#listeners) if (each.name === name) each.listener(value);
  }
}

/** The samples of ends and of connections, by name and labels, that are not 0. */
function counted(metrics: ServerMetrics): Record<string, number> {
  const lines = metrics.render(0).split('\n');
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    samples
      .map((line) => line.split(/ (?=[^ ]+$)/))
      .map(([name, value]) => [name ?? '', Number(value)] as const)
      .filter(
        ([name, value]) => value !== 0 && /_(?:sessions_closed|model)_/.test(name) && !/_bucket/.test(name),
      ),
  );
}

function told(metrics: ServerMetrics): Teller {
  const teller = new Teller();
  metrics.watch(teller.session);
  return teller;
}

const { connecting, connected, lost, reseeded, swapped, handleRejected, exhausted } = CONNECTION_EVENTS;

describe('the metrics of a server', () => {
  it('R9 metrics: an outage is counted by its cause and what came of it, over all sessions', () => {
    const metrics = new ServerMetrics();
    const [first, second] = [told(metrics), told(metrics)];
    first.tell(connecting, connected, ...OUTAGE).close('user_initiated');
    second.tell(connecting, connected, { ...lost, cause: 'silent' }, connecting, handleRejected, connecting);
    second.tell(connected, { ...reseeded, cause: 'silent', audioGapMs: 250 });
    second.close('participant_disconnected');
    expect(counted(metrics)).toEqual({
      'holdfast_sessions_closed_total{reason="user_initiated"}': 1,
      'holdfast_sessions_closed_total{reason="participant_disconnected"}': 1,
      holdfast_model_dials_total: 6,
      'holdfast_model_reconnects_total{cause="lost",outcome="resumed"}': 1,
      'holdfast_model_reconnects_total{cause="silent",outcome="reseeded"}': 1,
      holdfast_model_handle_rejections_total: 1,
      holdfast_model_replayed_audio_seconds_total: 2.4,
      holdfast_model_reconnect_gap_seconds_sum: 1.28,
      holdfast_model_reconnect_gap_seconds_count: 2,
      holdfast_model_audio_gap_seconds_total: 0.25,
    });
  });

  it('R9 metrics: a swap is no reconnect, and its gap is summed', () => {
    const metrics = new ServerMetrics();
    told(metrics).tell(swapped, { ...swapped, cause: 'goAway', gapMs: 60, replayedMs: 0 });
    expect(counted(metrics)).toEqual({
      'holdfast_model_swaps_total{cause="age"}': 1,
      'holdfast_model_swaps_total{cause="goAway"}': 1,
      holdfast_model_swap_gap_seconds_sum: 0.7,
      holdfast_model_swap_gap_seconds_count: 2,
      holdfast_model_replayed_audio_seconds_total: 1.2,
    });
  });

  it('counts how long a live session was connected, without what lies between its connections', async () => {
    const metrics = new ServerMetrics();
    const teller = told(metrics);
    teller.tell(connecting, connected);
    await teller.clock.advance(10_000);
    teller.tell(lost);
    await teller.clock.advance(3_000);
    teller.tell(connecting, connected);
    await teller.clock.advance(5_000);
    // A swap tells of the new connection first, and then how long there was none.
    teller.tell(connecting, connected, { ...swapped, gapMs: 500 });
    await teller.clock.advance(1_000);
    teller.close('user_initiated');
    expect(counted(metrics)).toMatchObject({
      'holdfast_model_connected_seconds_total{app="a",model="m",reason="user_initiated"}': 15.5,
    });
  });

  it('R9 metrics: what was given up and what ended meanwhile have their outcomes, once', () => {
    const metrics = new ServerMetrics();
    told(metrics)
      .tell({ ...lost, cause: 'stalled' }, exhausted)
      .close('error');
    told(metrics).tell(lost).close('user_initiated');
    told(metrics).close('drained');
    expect(counted(metrics)).toEqual({
      'holdfast_model_reconnects_total{cause="stalled",outcome="exhausted"}': 1,
      'holdfast_model_reconnects_total{cause="lost",outcome="ended"}': 1,
      'holdfast_sessions_closed_total{reason="error"}': 1,
      'holdfast_sessions_closed_total{reason="user_initiated"}': 1,
      'holdfast_sessions_closed_total{reason="drained"}': 1,
    });
  });

  it('shows what is known beforehand as 0, so that its first time is seen as a rise', () => {
    const text = new ServerMetrics().render(3);
    expect(text).toContain('# TYPE holdfast_live_sessions gauge\nholdfast_live_sessions 3\n');
    expect(text).toContain('holdfast_sessions_closed_total{reason="limit"} 0\n');
    expect(text).toContain('holdfast_model_reconnects_total{cause="lost",outcome="resumed"} 0\n');
    for (const cause of ['goAway', 'age', 'contextLost']) {
      expect(text).toContain(`holdfast_model_swaps_total{cause="${cause}"} 0\n`);
    }
    expect(text).not.toContain('reconnects_total{cause="contextLost"');
  });
});

describe('the text format of Prometheus', () => {
  it('is help, type, and a line a sample, with labels escaped', () => {
    const counter = new LabelledCounter([{ name: 'a' }]);
    counter.add({ name: 'a "b"\\\n' });
    expect(formatMetric('x_total', 'counter', 'How many.', counter.samples)).toBe(
      '# HELP x_total How many.\n# TYPE x_total counter\nx_total{name="a"} 0\nx_total{name="a \\"b\\"\\\\\\n"} 1\n',
    );
  });
});
