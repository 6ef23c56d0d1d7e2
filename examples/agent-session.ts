// A live session held by hand: its events, its three ways to end, and what their reports say.
//
//   node examples/agent-session.ts
//
// prints
//
//   parrot: Good morning
//   first call: drained by close
//   second call holds: request queue, deliveries, speeches, duration limit, idle limit, recorder
//     connection: done
//     recorder: abandoned
//   second call: hung up by close, still held: 0
//   third call: aborted by abort, never sent: 1
//
// All of it on the embedded echo model.
import { Agent, AgentSession, Lifetime, echo, textContent } from 'holdfast';

const agent = new Agent({ name: 'parrot', model: echo() });
const lastName = (path: string): string | undefined => path.split('/').at(-1);

// drain(): nothing new, what is under way is finished. The answer still comes, though it was asked for just before.
const first = new AgentSession({ agent });
first.on('event', (event) => {
  if (event.type === 'text' && !event.partial) console.log(`${event.author}: ${event.text}`);
});
first.on('close', ({ reason, verb }) => console.log(`first call: ${reason} by ${verb}`));
await first.start();
first.queue.sendContent(textContent('user', 'Good morning'));
await first.drain();

// close(): now, politely, in bounded time. With an owner of yours, things of your own end together with the session.
const call = Lifetime.root({ name: 'call' });
const second = new AgentSession({ agent, owner: call });
// This recorder never finishes. The close gives it 200 ms, after all connections are gone, and goes on without it.
const recorder = { finish: () => new Promise<void>(() => {}) };
call.own('recorder', recorder, { phase: 'hooks', boundMs: 200, close: (it) => it.finish() });
await second.start();
console.log(`second call holds: ${call.resources().map(lastName).join(', ')}`);
const { reason, verb, steps } = await call.close('hung up');
for (const { name, outcome } of steps) console.log(`  ${lastName(name)}: ${outcome}`);
console.log(`second call: ${reason} by ${verb}, still held: ${call.resources().length}`);

// abort(): now, waiting for nobody. It works in every state; this one has not even begun.
const third = new AgentSession({ agent });
third.queue.sendContent(textContent('user', 'Never mind'));
const report = await third.abort();
console.log(`third call: ${report.reason} by ${report.verb}, never sent: ${report.unsent.requests}`);
