import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Agent, ConnectionLostError, tool } from '../../src/session/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';
import { readPrometheusText } from '../support/prometheus-text.ts';

const read = (path: string): string => readFileSync(join(CHECKOUT, path), 'utf8');

const metricsOf = async (test: TestServer): Promise<string> => (await test.request('/metrics')).text;

function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/metrics`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject).end();
  });
}

describe('GET /metrics', () => {
  it('tells of live sessions, of their dials and of their ends', async () => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    const during = await test.request('/metrics');
    expect(during.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(during.text).toContain('\nholdfast_live_sessions 1\n');
    expect(during.text).toContain('\nholdfast_model_dials_total 1\n');
    client.send({ type: 'close' });
    await client.closed;
    await until('it is over', () => test.server.liveSessions === 0);
    const after = await metricsOf(test);
    expect(after).toContain('\nholdfast_live_sessions 0\n');
    expect(after).toContain('\nholdfast_sessions_closed_total{reason="user_initiated"} 1\n');
  });

  it('R9 metrics: counts a lost connection of a call', async () => {
    await using test = await startServer();
    await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    test.model.last.fail(new ConnectionLostError('gone', { provider: 'test' }));
    // Whichever came of it: it is over, or the model is back.
    const counted = /reconnects_total\{cause="lost",outcome="(ended|resumed|reseeded)"\} 1\n/;
    await expect.poll(() => metricsOf(test)).toMatch(counted);
  });

  it('counts the live session of a text turn', async () => {
    await using test = await startServer();
    const turn = { appName: 'demo', userId: 'u', newMessage: { parts: [{ text: 'hi' }] } };
    const answered = test.request('/run', { ...turn, sessionId: await test.createSession() });
    await until('it was said', () => test.model.connections[0]?.of('content').length === 1);
    test.model.last.output({ type: 'turnComplete' });
    expect((await answered).status).toBe(200);
    expect(await metricsOf(test)).toContain('\nholdfast_sessions_closed_total{reason="task_completed"} 1\n');
  });

  it('is answered to whom the other routes are, also while the server drains', async () => {
    await using test = await startServer();
    await test.welcomed(await test.createSession());
    expect(await statusFor(test.url, 'elsewhere.example')).toBe(403);
    void test.server.drain();
    expect((await test.request('/ready')).status).toBe(503);
    expect((await test.request('/metrics')).status).toBe(200);
  });

  it('keeps to the format, with every kind of thing counted', async () => {
    const weather = tool({ name: 'weather', description: 'Tells it.', execute: () => ({ sky: 'blue' }) });
    await using test = await startServer({
      agents: { demo: new Agent({ name: 'helper', tools: [weather] }) },
      reconnect: { withoutHandle: 'reseed' },
    });
    const client = await test.welcomed(await test.createSession('a "quoted" \\ one'));
    await until('connected', () => test.model.connections.length === 1);
    client.send({ type: 'nonsense' });
    await until('it was refused', () => client.having('type', 'error').length === 1);
    const { last } = test.model;
    last.output({ type: 'toolCall', calls: [{ id: 'c1', name: 'weather', args: {} }] });
    await until('the tool has answered', () => last.of('toolResponse').length === 1);
    last.output({ type: 'toolCall', calls: [{ id: 'c2', name: 'nowhere', args: {} }] });
    last.output(
      { type: 'usage', usage: { promptTokens: 30, responseTokens: 12, totalTokens: 42 } },
      { type: 'turnComplete' },
    );
    last.fail(new ConnectionLostError('gone', { provider: 'test' }));
    await until('it is back', () => test.model.connections.length === 2);
    const during = readPrometheusText(await metricsOf(test));
    const value = (metrics: typeof during, name: string, labels: Record<string, string> = {}): number => {
      const samples = [...metrics.values()].flatMap((family) => family.samples);
      const wanted = samples.filter(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([key, is]) => sample.labels[key] === is),
      );
      expect(wanted.map((sample) => sample.name)).toEqual([name]);
      return wanted[0]!.value;
    };
    expect(value(during, 'holdfast_sessions', { state: 'live' })).toBe(1);
    expect(value(during, 'holdfast_resources', { owner: 'client' })).toBeGreaterThan(0);
    expect(value(during, 'holdfast_resources', { owner: 'model' })).toBeGreaterThan(0);
    expect(value(during, 'holdfast_drain_stage', { stage: 'serving' })).toBe(1);
    expect(during.get('holdfast_drain_deadline_seconds')?.samples).toEqual([]);
    expect(value(during, 'holdfast_client_messages_refused_total', { code: 'HOLDFAST_BAD_MESSAGE' })).toBe(1);
    expect(value(during, 'holdfast_tool_calls_total', { outcome: 'done' })).toBe(1);
    expect(value(during, 'holdfast_tool_calls_total', { outcome: 'failed' })).toBe(1);
    expect(value(during, 'holdfast_tool_call_seconds_count')).toBe(2);
    expect(value(during, 'holdfast_model_reconnect_gap_seconds_count')).toBe(1);
    expect(value(during, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(value(during, 'process_open_fds')).toBeGreaterThan(2);
    expect(
      Math.abs(value(during, 'process_start_time_seconds') * 1_000 - performance.timeOrigin),
    ).toBeLessThan(1);

    const closed = test.server.drain();
    const draining = readPrometheusText(await metricsOf(test));
    expect(value(draining, 'holdfast_drain_stage', { stage: 'refusing' })).toBe(1);
    expect(value(draining, 'holdfast_drain_deadline_seconds')).toBeGreaterThan(200);
    expect(value(draining, 'holdfast_oldest_call_seconds')).toBeGreaterThan(0);
    expect((await test.holdfast('another').refused).status).toBe(503);
    const turn = { appName: 'demo', userId: 'u', newMessage: { parts: [{ text: 'hi' }] }, sessionId: 's' };
    expect((await test.request('/run', turn)).status).toBe(503);
    const refusing = readPrometheusText(await metricsOf(test));
    expect(value(refusing, 'holdfast_sessions_refused_total', { code: 'HOLDFAST_UNAVAILABLE' })).toBe(2);
    client.send({ type: 'close' });
    await closed;
  });

  it('counts what a live session has used when it has ended, by app and model, and never by user or session', async () => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession('private-id'));
    await until('connected', () => test.model.connections.length === 1);
    test.model.last.output({
      type: 'usage',
      usage: { promptTokens: 30, responseTokens: 12, totalTokens: 42 },
    });
    client.send({ type: 'close' });
    await client.closed;
    await until('it is over', () => test.server.liveSessions === 0);
    const text = await metricsOf(test);
    const metrics = readPrometheusText(text);
    expect(text).not.toContain('private-id');
    expect(metrics.get('holdfast_tokens_total')?.samples).toMatchObject([
      { labels: { app: 'demo', model: 'scripted', type: 'input' }, value: 30 },
      { labels: { app: 'demo', model: 'scripted', type: 'output' }, value: 12 },
    ]);
    expect(metrics.get('holdfast_model_connected_seconds_total')?.samples).toMatchObject([
      { labels: { app: 'demo', model: 'scripted', reason: 'user_initiated' }, value: expect.any(Number) },
    ]);
    expect(text).toContain('\nholdfast_session_close_seconds_count 1\n');
  });

  it('stops watching the event loop with the server', async () => {
    const { server } = await startServer();
    expect(server.resources()).toContain('event loop delay');
    await server.close();
    expect(server.resources()).toEqual([]);
  });

  it('has every metric that the dashboard and the alerts ask for', async () => {
    await using test = await startServer();
    const known = [...readPrometheusText(await metricsOf(test)).values()].flatMap(({ name, type }) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    const dashboard = JSON.parse(read('deploy/prometheus/dashboard.json')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as {
      groups: { rules: { alert: string; expr: string; for?: string; annotations: { summary: string } }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(
      rules.every(({ alert, annotations }) => /^Holdfast\w+$/.test(alert) && annotations.summary !== ''),
    ).toBe(true);
    const asked = [
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...rules.map(({ expr }) => expr),
    ];
    const names = asked.flatMap((expr) => expr.match(/\b(?:holdfast|nodejs|process)_[a-z0-9_]+/g) ?? []);
    expect(names.length).toBeGreaterThan(25);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('is listed in docs/metrics.md, name by name', async () => {
    await using test = await startServer();
    const page = read('docs/metrics.md');
    const listed = [...page.matchAll(/^\| `((?:holdfast|nodejs|process)_\w+)` +\| (\w+)/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
    const told = [...(await metricsOf(test)).matchAll(/^# TYPE (.*)$/gm)].map(([, type]) => type);
    expect(listed).toEqual(told);
  });
});
