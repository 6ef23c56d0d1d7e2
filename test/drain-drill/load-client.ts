// A process full of clients: keeps calls under way, one after the other in each place, until it is told to stop.
//
//   node test/drain-drill/load-client.ts '<LoadPlan as JSON>'
//
// It says how it is doing in a line of JSON every half second, and in one for every call that did not end well. The line
// `stop` on its input has every call hang up when its answer is complete; then it ends.

import process from 'node:process';
import { createInterface } from 'node:readline';
import { DrillCall, WIRES } from './drill-call.ts';
import type { LoadPlan, LoadTally } from './load.ts';
import { FRAME_MS, SpokenFrames } from './spoken-frames.ts';
import { pause } from './timeline.ts';

/** How often it is told how it goes. */
const TALLY_MS = 500;

/** Calls that do not begin in the same moment: people do not either. */
const STAGGER_MS = 25;

/** After a call that was refused: whoever hammers a server that refuses counts the same refusal again and again. */
const AFTER_REFUSAL_MS = 500;

/** A call that lasted its time is told to hang up; who counts on chance is not counted on, so it goes by its number. */
function durationOf(plan: LoadPlan, number: number): number {
  // The golden ratio spreads what follows one another evenly between the bounds.
  const share = (number * 0.618_033_988_75) % 1;
  return plan.minCallMs + share * (plan.maxCallMs - plan.minCallMs);
}

class LoadClient {
  readonly #plan: LoadPlan;
  readonly #spoken = new SpokenFrames();
  readonly #calls = new Set<DrillCall>();
  readonly #counts = { begun: 0, good: 0, refused: 0, cut: 0, answers: 0, frames: 0 };
  #lateMs = 0;
  #isStopping = false;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
  }

  async run(): Promise<void> {
    const telling = setInterval(() => tell({ tally: this.#tally() }), TALLY_MS);
    const ticking = this.#tick();
    const longest = setTimeout(() => this.stop(), this.#plan.atMostMs);
    await Promise.all(Array.from({ length: this.#plan.calls }, (_, place) => this.#place(place)));
    clearTimeout(longest);
    clearInterval(ticking);
    clearInterval(telling);
    tell({ tally: this.#tally() });
    tell({ over: true });
  }

  stop(): void {
    this.#isStopping = true;
    for (const call of this.#calls) call.hangUp();
  }

  /** One place of the load: a call, and when it has ended the next one. */
  async #place(place: number): Promise<void> {
    const plan = this.#plan;
    await pause(place * STAGGER_MS);
    for (let round = 0; !this.#isStopping; round += 1) {
      const number = place + round * plan.calls;
      const call = new DrillCall(
        {
          url: plan.url,
          app: plan.app,
          id: `${plan.name}-${place}-${round}`,
          wire: WIRES[place % WIRES.length] ?? 'adk',
          manner: place < plan.talking ? 'talks' : 'says',
          sayEveryMs: plan.sayEveryMs,
        },
        this.#spoken,
      );
      this.#calls.add(call);
      this.#counts.begun += 1;
      const hangUp = setTimeout(() => call.hangUp(), durationOf(plan, number));
      const end = await call.ended;
      clearTimeout(hangUp);
      this.#calls.delete(call);
      this.#counts.answers += call.answers;
      this.#counts.frames += call.frames;
      this.#counts[end.tag] += 1;
      if (end.tag !== 'good') tell({ trouble: { call: call.plan.id, wire: call.plan.wire, ...end } });
      if (end.tag === 'refused') await pause(AFTER_REFUSAL_MS);
    }
  }

  #tick(): NodeJS.Timeout {
    let nextMs = performance.now() + FRAME_MS;
    return setInterval(() => {
      const nowMs = performance.now();
      this.#lateMs = Math.max(this.#lateMs, nowMs - nextMs);
      // What is late is caught up with, as a microphone's buffer is; a second of it at most.
      for (let count = 0; count < 50 && nextMs <= nowMs; count += 1) {
        nextMs += FRAME_MS;
        for (const call of this.#calls) call.tick();
      }
      nextMs = Math.max(nextMs, nowMs);
    }, FRAME_MS);
  }

  #tally(): LoadTally {
    const underWay = [...this.#calls].filter((call) => call.isUnderWay);
    const sum = (of: (call: DrillCall) => number): number =>
      [...this.#calls].reduce((total, call) => total + of(call), 0);
    return {
      ...this.#counts,
      answers: this.#counts.answers + sum((call) => call.answers),
      frames: this.#counts.frames + sum((call) => call.frames),
      underWay: underWay.length,
      lateMs: Math.round(this.#lateMs),
    };
  }
}

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const client = new LoadClient(JSON.parse(process.argv[2] ?? '{}') as LoadPlan);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'stop') client.stop();
});
await client.run();
process.exit(0);
