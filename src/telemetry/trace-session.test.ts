import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { LiveRig } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import { ConnectionLostError, tool } from '../session/index.ts';
import { traceSession } from './index.ts';
import type { TraceSessionOptions } from './index.ts';

const weather = tool({
  name: 'weather',
  description: 'Tells it.',
  execute: (args) => (args['fails'] === true ? Promise.reject(new Error('secret weather')) : { sky: 'blue' }),
});

/** A traced live session, and the spans that have ended. */
class TracedRig {
  readonly exporter = new InMemorySpanExporter();
  readonly provider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: this.exporter })],
  });
  readonly rig: LiveRig;

  private constructor(rig: LiveRig, options: TraceSessionOptions) {
    this.rig = rig;
    traceSession(rig.session, { tracer: this.provider.getTracer('test'), parent: ROOT_CONTEXT, ...options });
  }

  static async live(options: LiveRigOptions = {}, traced: TraceSessionOptions = {}): Promise<TracedRig> {
    const made = new TracedRig(
      new LiveRig({ tools: [weather], reconnect: { withoutHandle: 'reseed' }, ...options }),
      traced,
    );
    await made.rig.session.start();
    await made.rig.clock.settle();
    return made;
  }

  get spans(): readonly ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  named(name: string): ReadableSpan {
    const found = this.spans.find((span) => span.name === name);
    return (
      found ??
      expect.unreachable(`no span ${name}; there are ${this.spans.map((span) => span.name).join(', ')}`)
    );
  }

  all(name: string): readonly ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** The names from the root down to a span. */
  pathOf(span: ReadableSpan): string {
    const parent = this.spans.find((each) => each.spanContext().spanId === span.parentSpanContext?.spanId);
    return parent === undefined ? span.name : `${this.pathOf(parent)} > ${span.name}`;
  }
}

const usage = { promptTokens: 30, responseTokens: 12, totalTokens: 42 };
const ms = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1e6;

async function ask(traced: TracedRig, text = 'What is the weather?'): Promise<void> {
  traced.rig.session.queue.sendContent(textContent('user', text));
  await traced.rig.clock.settle();
}

describe('the trace of a live session', () => {
  it('has a span for the session, and in it the connection, the turn, the calls of the model and of the tool', async () => {
    const traced = await TracedRig.live();
    const { rig } = traced;
    await ask(traced);
    await rig.clock.advance(300);
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: 'c1', name: 'weather', args: {} }] });
    rig.model.connection.output({ type: 'usage', usage: { ...usage, promptTokens: 5 } });
    await rig.clock.settle();
    await rig.clock.advance(200);
    rig.model.connection.output(
      { type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(480), 24_000) },
      { type: 'generationComplete' },
    );
    await rig.clock.advance(100);
    rig.model.connection.output({ type: 'usage', usage }, { type: 'turnComplete' });
    await rig.session.close();
    expect(traced.spans.map((span) => traced.pathOf(span)).toSorted()).toEqual([
      'invoke_agent agent',
      'invoke_agent agent > connect',
      'invoke_agent agent > turn',
      'invoke_agent agent > turn > chat scripted',
      'invoke_agent agent > turn > chat scripted',
      'invoke_agent agent > turn > execute_tool weather',
    ]);
    const conversation = { 'gen_ai.conversation.id': rig.session.session.id };
    const whole = traced.named('invoke_agent agent');
    expect(whole).toMatchObject({ kind: SpanKind.INTERNAL, status: { code: SpanStatusCode.UNSET } });
    expect(whole.attributes).toEqual({
      ...conversation,
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': 'scripted',
      'gen_ai.request.model': 'scripted',
      'gen_ai.agent.name': 'agent',
      'gen_ai.usage.input_tokens': 35,
      'gen_ai.usage.output_tokens': 24,
      'holdfast.app': 'default',
      'holdfast.reason': 'user_initiated',
      'holdfast.close_ms': 0,
    });
    const [first, second] = traced.all('chat scripted');
    expect(first).toMatchObject({ kind: SpanKind.CLIENT });
    expect(first?.attributes).toEqual({
      ...conversation,
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'scripted',
      'gen_ai.request.model': 'scripted',
      'gen_ai.agent.name': 'agent',
      'gen_ai.response.finish_reasons': ['tool_call'],
      'gen_ai.usage.input_tokens': 5,
      'gen_ai.usage.output_tokens': 12,
      'holdfast.time_to_first_output_ms': 300,
    });
    expect(second?.attributes).toMatchObject({
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 30,
      'holdfast.time_to_first_output_ms': 200,
    });
    // It is over when it has generated, although what it cost is told later.
    expect(ms(second!.duration)).toBe(200);
    const called = traced.named('execute_tool weather');
    expect(called.kind).toBe(SpanKind.INTERNAL);
    expect(called.attributes).toEqual({
      ...conversation,
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'weather',
      'gen_ai.tool.call.id': 'c1',
      'gen_ai.tool.type': 'function',
    });
    expect(ms(traced.named('turn').duration)).toBe(600);
  });

  it('R9 has a span for an outage, with its dials in it and what came of it', async () => {
    const traced = await TracedRig.live();
    const { rig } = traced;
    rig.model.connection.end({ reason: 'cut', error: new ConnectionLostError('cut', { provider: 'test' }) });
    await rig.clock.advance(3_000);
    await rig.session.close();
    const outage = traced.named('reconnect');
    expect(outage.attributes).toMatchObject({ 'holdfast.cause': 'lost', 'holdfast.how': 'reseeded' });
    const paths = traced.spans.map((span) => traced.pathOf(span));
    expect(paths).toContain('invoke_agent agent > connect');
    expect(paths).toContain('invoke_agent agent > reconnect > connect');
  });

  it('has a turn from the first sign of the user on, and tells that it was interrupted', async () => {
    const traced = await TracedRig.live();
    const { rig } = traced;
    const { connection } = rig.model;
    connection.output({ type: 'voiceActivity', activity: 'start' });
    await rig.clock.advance(2_000);
    connection.output({ type: 'transcript', speaker: 'user', text: 'Tell me a story', finished: true });
    await rig.clock.advance(400);
    const audio = AudioChunk.fromSamples(new Int16Array(480), 24_000);
    for (let frames = 0; frames < 50; frames += 1) connection.output({ type: 'audio', audio });
    await rig.clock.advance(1_000);
    connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    await rig.session.close();
    const turn = traced.named('turn');
    expect(turn.attributes).toMatchObject({ 'holdfast.turn': 1, 'holdfast.interrupted': true });
    expect(ms(turn.duration)).toBe(3_400);
    expect(traced.all('chat scripted')).toHaveLength(1);
    const chat = traced.named('chat scripted');
    expect(ms(chat.duration)).toBe(1_400);
    expect(chat.attributes).toMatchObject({
      'gen_ai.response.finish_reasons': ['interrupted'],
      'holdfast.time_to_first_output_ms': 400,
    });
  });

  it('R7 has a span for a swap, and events for what is told of the session', async () => {
    const traced = await TracedRig.live();
    const { rig } = traced;
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 10_000 });
    await rig.clock.advance(11_000);
    await rig.session.close();
    const swap = traced.named('swap');
    expect(traced.pathOf(swap)).toBe('invoke_agent agent > swap');
    expect(swap.attributes).toMatchObject({ 'holdfast.cause': 'goAway', 'holdfast.how': 'reseeded' });
    expect(traced.named('invoke_agent agent').events.map(({ name }) => name)).toContain('go away');
  });

  it('tells of a tool that fails, without what it has thrown', async () => {
    const traced = await TracedRig.live();
    await ask(traced);
    const calls = [{ id: 'c1', name: 'weather', args: { fails: true } }];
    traced.rig.model.connection.output({ type: 'toolCall', calls });
    await traced.rig.clock.settle();
    await traced.rig.session.close();
    const failed = traced.named('execute_tool weather');
    expect(failed.status.code).toBe(SpanStatusCode.ERROR);
    expect(failed.attributes['error.type']).toBe('failed');
    expect(told(traced)).not.toContain('secret weather');
  });

  it('tells what was said only where that was asked for', async () => {
    const say = async (traced: TracedRig): Promise<string> => {
      await ask(traced, 'my card number');
      const calls = [{ id: 'c1', name: 'weather', args: { city: 'Paris' } }];
      traced.rig.model.connection.output({ type: 'toolCall', calls });
      await traced.rig.clock.settle();
      traced.rig.model.connection.output(
        { type: 'transcript', speaker: 'agent', text: 'It is blue', finished: true },
        { type: 'turnComplete' },
      );
      await traced.rig.session.close();
      return told(traced);
    };
    const silent = await say(await TracedRig.live());
    for (const word of ['my card number', 'Paris', 'blue']) expect(silent).not.toContain(word);
    const traced = await TracedRig.live({}, { capturesContent: true });
    const loud = await say(traced);
    for (const word of ['my card number', 'Paris', 'blue']) expect(loud).toContain(word);
    expect(traced.all('chat scripted')[0]?.attributes['gen_ai.input.messages']).toBe(
      '[{"role":"user","parts":[{"type":"text","content":"my card number"}]}]',
    );
  });

  it('is a part of the trace it is given', async () => {
    const parent = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
      isRemote: true,
    });
    const traced = await TracedRig.live({}, { parent });
    await traced.rig.session.close();
    const whole = traced.named('invoke_agent agent');
    expect(whole.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(whole.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
  });

  it('listens to no session that is not recorded', async () => {
    const rig = new LiveRig();
    let listeners = 0;
    const on = rig.session.on.bind(rig.session);
    rig.session.on = (...listener) => {
      listeners += 1;
      return on(...listener);
    };
    const off = new TracerProvider({ sampler: new AlwaysOffSampler() });
    traceSession(rig.session, { tracer: off.getTracer('test') });
    traceSession(rig.session);
    expect(listeners).toBe(0);
    await rig.session.close();
  });
});

describe('C6 whichever way a live session ends, no span of it stays open', () => {
  const busy = async (traced: TracedRig): Promise<void> => {
    await ask(traced);
    const { connection } = traced.rig.model;
    connection.output({ type: 'text', text: 'Well' });
    connection.output({ type: 'toolCall', calls: [{ id: 'never', name: 'never', args: {} }] });
    await traced.rig.clock.settle();
  };
  const never = tool({ name: 'never', description: 'x', execute: () => new Promise(() => undefined) });
  const lost = new ConnectionLostError('cut', { provider: 'test' });

  it.each<[string, (traced: TracedRig) => unknown, string]>([
    ['close', ({ rig }) => rig.session.close(), 'user_initiated'],
    ['abort', ({ rig }) => rig.session.abort(), 'aborted'],
    ['a closed queue', ({ rig }) => rig.session.queue.close(), 'user_initiated'],
    ['a limit', () => undefined, 'limit'],
    ['a lost connection', ({ rig }) => rig.model.connection.end({ reason: 'cut', error: lost }), 'error'],
  ])('%s', async (_way, end, reason) => {
    let open = 0;
    const traced = await TracedRig.live(
      { tools: [never], reconnect: false },
      { tracer: countingTracer((change) => (open += change)) },
    );
    await busy(traced);
    expect(open).toBeGreaterThan(3);
    void end(traced);
    // Beyond every limit: whoever is not ended is ended by one.
    await traced.rig.clock.advance(7_300_000);
    expect((await traced.rig.session.closed).reason).toBe(reason);
    expect(open).toBe(0);
  });

  it('an end while it connects, and before it starts', async () => {
    for (const starts of [true, false]) {
      let open = 0;
      const rig = new LiveRig({ script: { acceptsAtOnce: false } });
      traceSession(rig.session, { tracer: countingTracer((change) => (open += change)) });
      if (starts) rig.session.start().catch(() => undefined);
      await rig.clock.settle();
      expect(open).toBe(starts ? 2 : 1);
      void rig.session.close();
      await rig.clock.advance(10_000);
      expect(open).toBe(0);
    }
  });

  it('an error is told by its code, and without the secrets in it', async () => {
    const traced = await TracedRig.live({ reconnect: false });
    const error = new ConnectionLostError('GET /?key=my-own-key-1 failed', { provider: 'test' });
    traced.rig.model.connection.end({ reason: 'cut', error });
    await traced.rig.clock.advance(10_000);
    const whole = traced.named('invoke_agent agent');
    expect(whole.attributes['error.type']).toBe('HOLDFAST_CONNECTION_LOST');
    expect(whole.status).toMatchObject({ code: SpanStatusCode.ERROR });
    expect(told(traced)).not.toContain('my-own-key-1');
  });
});

/** Everything that the spans tell. */
function told({ spans }: TracedRig): string {
  return JSON.stringify(
    spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
  );
}

/** A tracer whose spans are counted as long as they are open. */
function countingTracer(changed: (by: number) => void): ReturnType<TracerProvider['getTracer']> {
  const provider = new TracerProvider({
    spanProcessors: [
      {
        onStart: () => changed(1),
        onEnd: () => changed(-1),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  });
  return provider.getTracer('test');
}
