// The smallest conversation: one text, its answer, and the end.
//
//   node examples/hello.ts ["what to say"]
//
// prints
//
//   parrot: Hello
//   ended: user_initiated
//
// With GEMINI_API_KEY set, a Gemini model answers; without it the embedded echo model, which repeats what it is told.
import { Agent, LiveRequestQueue, echo, gemini, runLive, textContent } from 'holdfast';

const agent = new Agent({
  name: 'parrot',
  instructions: 'Answer in one short sentence.',
  model: process.env.GEMINI_API_KEY ? gemini({ model: 'gemini-2.5-flash-native-audio-latest' }) : echo(),
});

const queue = new LiveRequestQueue();
queue.sendContent(textContent('user', process.argv[2] ?? 'Hello'));

const run = runLive({ agent, queue });
for await (const event of run) {
  // A model that writes sends `text`. One that speaks sends `audio`, and says in a `transcript` what it said.
  const isWords = event.type === 'text' || (event.type === 'transcript' && event.speaker === 'agent');
  if (isWords && !event.partial) console.log(`${event.author}: ${event.text}`);
  // Nothing more will be said: this ends the live session, and with it the loop.
  if (event.type === 'turnComplete') queue.close();
}
console.log(`ended: ${(await run.closed).reason}`);
