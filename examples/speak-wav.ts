// Speaks a WAV file to an agent as a microphone would, and saves what it answers.
//
//   node examples/speak-wav.ts question.wav answer.wav
//
// prints, where the recording holds 0.8 s of speech and some silence after it,
//
//   user: (0.8 s of speech)
//   agent: (echo of 0.8 s of speech)
//   answer.wav: 1.2 s of answer
//
// With GEMINI_API_KEY set, a Gemini model listens and answers.
import { readFileSync, writeFileSync } from 'node:fs';
import {
  Agent,
  AudioChunk,
  LiveRequestQueue,
  echo,
  formatWav,
  gemini,
  parseWav,
  resample,
  runLive,
} from 'holdfast';

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  console.error('Usage: node speak-wav.ts <question.wav> <answer.wav>');
  process.exit(2);
}

const model = process.env.GEMINI_API_KEY ? gemini({ model: 'gemini-2.5-flash-native-audio-latest' }) : echo();
const { inputRateHz, outputRateHz } = model.capabilities;
const recording = parseWav(readFileSync(from));
const samples = resample(recording.samples, recording.rateHz, inputRateHz);
const frameSamples = inputRateHz / 50;

const queue = new LiveRequestQueue();
let sent = 0;
// A frame every 20 ms. Realtime models find the end of a sentence by the silence after it, so the pace matters.
const microphone = setInterval(() => {
  queue.sendAudio(AudioChunk.fromSamples(samples.subarray(sent, sent + frameSamples), inputRateHz));
  sent += frameSamples;
  if (sent < samples.length) return;
  clearInterval(microphone);
  queue.sendAudioStreamEnd();
}, 20);

const answer: number[] = [];
try {
  const agent = new Agent({ name: 'agent', instructions: 'Answer briefly.', model });
  // Should the last answer be over before the recording is, its silent rest ends the session as this limit.
  for await (const event of runLive({ agent, queue, limits: { idleTimeoutMs: 10_000 } })) {
    if (event.type === 'audio') answer.push(...event.audio.samples);
    if (event.type === 'transcript' && !event.partial) console.log(`${event.speaker}: ${event.text}`);
    if (event.type === 'turnComplete' && sent >= samples.length) queue.close();
  }
} finally {
  clearInterval(microphone);
}
writeFileSync(to, formatWav(Int16Array.from(answer), outputRateHz));
console.log(`${to}: ${(answer.length / outputRateHz).toFixed(1)} s of answer`);
