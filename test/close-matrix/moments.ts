import { passes } from './call.ts';
import type { Call } from './call.ts';

/** Words of an answer that are enough to say that it has begun. */
const ANSWERED_PIECES = 3;

// Where a call is when it is ended.

export function idle(call: Call): Promise<void> {
  return call.start();
}

const LONG_ANSWER = Array.from({ length: 30 }, (_, index) => `number ${index + 1}`).join(', ');

/** The agent is saying something that takes ten seconds and more, and the first of it is heard. */
export async function speaking(call: Call): Promise<void> {
  await call.start();
  call.say(`${LONG_ANSWER}.`);
  await call.until('the agent speaks', () => call.count('audio') > 0);
}

/** The language model was asked. */
export async function asked(call: Call): Promise<void> {
  await call.start();
  call.say('Hello');
  await call.until('the language model is asked', () => (call.services?.llm.requests.count ?? 0) > 0);
}

/** The language model has begun to answer. Words may be told only when they are spoken, which they need not be here. */
export async function answering(call: Call): Promise<void> {
  await call.start();
  call.say('Hello there and so on');
  await call.until('the agent answers', () => {
    const { pieces = 0 } = call.services?.llm.requests.last ?? {};
    return pieces >= ANSWERED_PIECES || call.count('transcript') > 0;
  });
}

/** Somebody was asked and does not answer; nothing can be seen of it. */
export function after(ms: number, text?: string): (call: Call) => Promise<void> {
  return async (call) => {
    await call.start();
    if (text !== undefined) call.say(text);
    await passes(ms);
  };
}

/** A tool runs. */
export async function calling(call: Call): Promise<void> {
  await call.start();
  call.say('call hang {}');
  await call.until('the tool is called', () => call.count('toolCall') > 0);
}

/** The user speaks, and the recogniser hears it. */
export async function hearing(call: Call): Promise<void> {
  await call.start();
  call.speak('two rye please');
  await call.until('the recogniser hears', () => {
    const last = call.services?.stt.connections.last;
    return last !== undefined && last.audioMs > 300;
  });
}

/** It is started, which is not over when this is seen. */
export function starting(seen: (call: Call) => boolean): (call: Call) => Promise<void> {
  return async (call) => {
    call.start().catch(() => undefined);
    await passes(20);
    await call.until('it is being started', () => seen(call));
  };
}
