import { SERVER_CLOSE_TIMEOUT_MS } from '../../src/server/index.ts';
import { WIRES } from './drill-call.ts';
import type { CallEnd, DrillCall } from './drill-call.ts';
import { seconds } from './timeline.ts';
import { AGENTS_DIR, boundMs, cutMoments, cutProblems, exitProblems } from './variant.ts';
import type { Variant, VariantStage } from './variant.ts';
import type { DrillServer } from './drill-server.ts';

// Calls that last longer than a server waits, and signals that do not.

/** Two calls over each wire that go on for as long as they are let. */
async function longCalls(stage: VariantStage, server: DrillServer): Promise<DrillCall[]> {
  const plans = WIRES.flatMap((wire) => [{ wire }, { wire }]);
  return Promise.all(plans.map((plan) => stage.call(server, plan)));
}

function allEnds(calls: readonly DrillCall[]): Promise<CallEnd[]> {
  return Promise.all(calls.map((call) => call.ended));
}

const deadline: Variant = {
  clause: 'D3',
  name: 'calls longer than the drain are cut at its deadline, and no other',
  run: async (stage) => {
    const server = await stage.server();
    const long = await longCalls(stage, server);
    const short = await longCalls(stage, server);
    const sinceMs = await stage.drain(server);
    for (const call of short) call.hangUp();
    const good = await allEnds(short);
    const ends = await allEnds(long);
    const deadlineMs = sinceMs + stage.scale.drainTimeoutS * 1_000;
    const exit = await exitProblems(server, {
      status: 1,
      cut: long.length,
      sinceMs,
      withinMs: boundMs(stage.scale),
    });
    return {
      measured: `cut ${cutMoments(ends, deadlineMs)} from the deadline; ended after ${seconds(exit.tookMs)}`,
      problems: [
        ...good.filter(({ tag }) => tag !== 'good').map((end) => `a short call: ${JSON.stringify(end)}`),
        ...cutProblems(long, ends, { atMs: deadlineMs, lateMs: stage.scale.nearMs }),
        ...exit.problems,
      ],
    };
  },
};

const secondSignal: Variant = {
  clause: 'D4',
  name: 'a second signal ends the calls now',
  run: async (stage) => {
    const server = await stage.server({ drainTimeoutS: 300 });
    const calls = await longCalls(stage, server);
    await stage.drain(server);
    const sinceMs = await stage.signalAgain(server);
    const ends = await allEnds(calls);
    const exit = await exitProblems(server, { status: 1, cut: calls.length, sinceMs, withinMs: 2_000 });
    return {
      measured: `cut ${cutMoments(ends, sinceMs)} from the signal; ended after ${seconds(exit.tookMs)}`,
      problems: [
        ...cutProblems(calls, ends, { atMs: sinceMs, lateMs: stage.scale.nearMs }),
        ...exit.problems,
      ],
    };
  },
};

const thirdSignal: Variant = {
  clause: 'D4',
  name: 'a third signal does not wait for what hangs',
  run: async (stage) => {
    const server = await stage.server({ agentsDir: AGENTS_DIR, drainTimeoutS: 300 });
    // A tool that hangs and a client that never answers a goodbye: each takes its whole bound of a close.
    const calls = await Promise.all(
      WIRES.map((wire) => stage.call(server, { wire, app: 'slow', says: 'work 600000' })),
    );
    for (const call of calls) call.stopReading();
    await stage.drain(server);
    await stage.signalAgain(server);
    const sinceMs = await stage.signalAgain(server);
    const exit = await exitProblems(server, { status: 1, cut: calls.length, sinceMs, withinMs: 1_000 });
    return {
      measured: `ended ${seconds(exit.tookMs)} after the third`,
      problems: exit.problems,
    };
  },
};

const deaf: Variant = {
  clause: 'D3',
  name: 'a client that stopped reading holds nobody up',
  run: async (stage) => {
    const server = await stage.server();
    const [deafCalls, others] = [await longCalls(stage, server), await longCalls(stage, server)];
    for (const call of deafCalls) call.stopReading();
    const sinceMs = await stage.drain(server);
    const deadlineMs = sinceMs + stage.scale.drainTimeoutS * 1_000;
    const ends = await allEnds(others);
    const exit = await exitProblems(server, {
      status: 1,
      cut: deafCalls.length + others.length,
      sinceMs,
      withinMs: boundMs(stage.scale),
    });
    return {
      measured: `the others cut ${cutMoments(ends, deadlineMs)} from the deadline; ended after ${seconds(exit.tookMs)}`,
      problems: [
        ...cutProblems(others, ends, { atMs: deadlineMs, lateMs: stage.scale.nearMs }),
        ...exit.problems,
      ],
    };
  },
};

const toolFinishes: Variant = {
  clause: 'S3',
  name: 'a tool that works finishes, and its answer is heard',
  run: async (stage) => {
    const server = await stage.server({ agentsDir: AGENTS_DIR });
    const workMs = stage.scale.drainTimeoutS * 500;
    const calls = await Promise.all(
      WIRES.map((wire) => stage.call(server, { wire, app: 'slow', says: `work ${workMs}` })),
    );
    for (const call of calls) call.hangUp();
    const sinceMs = await stage.drain(server);
    const ends = await allEnds(calls);
    const exit = await exitProblems(server, { status: 0, cut: 0, sinceMs, withinMs: workMs + 1_000 });
    return {
      measured: `a tool of ${seconds(workMs)}; ended after ${seconds(exit.tookMs)}`,
      problems: [
        ...ends.filter(({ tag }) => tag !== 'good').map((end) => `a call: ${JSON.stringify(end)}`),
        ...exit.problems,
      ],
    };
  },
};

const toolHangs: Variant = {
  clause: 'D3',
  name: 'a tool that hangs holds nobody up',
  run: async (stage) => {
    const server = await stage.server({ agentsDir: AGENTS_DIR });
    const calls = await Promise.all(
      WIRES.map((wire) => stage.call(server, { wire, app: 'slow', says: 'work 600000' })),
    );
    const sinceMs = await stage.drain(server);
    const deadlineMs = sinceMs + stage.scale.drainTimeoutS * 1_000;
    const exit = await exitProblems(server, {
      status: 1,
      cut: calls.length,
      sinceMs,
      withinMs: boundMs(stage.scale),
    });
    const ends = await allEnds(calls);
    return {
      measured: `cut ${cutMoments(ends, deadlineMs)} from the deadline; ended after ${seconds(exit.tookMs)}`,
      problems: [
        ...cutProblems(calls, ends, { atMs: deadlineMs, lateMs: SERVER_CLOSE_TIMEOUT_MS }),
        ...exit.problems,
      ],
    };
  },
};

const idle: Variant = {
  clause: 'D3',
  name: 'many idle calls: it ends within its bounds',
  run: async (stage) => {
    const { idleSessions } = stage.scale;
    const server = await stage.server({ flags: ['--max-sessions', `${idleSessions}`] });
    const calls: DrillCall[] = [];
    // In batches: who asks for a thousand connections in one moment measures the machine's queue of them.
    for (let first = 0; first < idleSessions; first += 50) {
      const count = Math.min(50, idleSessions - first);
      const batch = Array.from({ length: count }, (_, index) =>
        stage.call(server, { wire: WIRES[index % 2] ?? 'adk', manner: 'idles' }),
      );
      calls.push(...(await Promise.all(batch)));
    }
    const sinceMs = await stage.drain(server);
    const deadlineMs = sinceMs + stage.scale.drainTimeoutS * 1_000;
    const ends = await allEnds(calls);
    const exit = await exitProblems(server, {
      status: 1,
      cut: calls.length,
      sinceMs,
      withinMs: boundMs(stage.scale),
    });
    return {
      measured: `${calls.length} cut ${cutMoments(ends, deadlineMs)} from the deadline; ended after ${seconds(exit.tookMs)}`,
      problems: [
        ...cutProblems(calls, ends, { atMs: deadlineMs, lateMs: SERVER_CLOSE_TIMEOUT_MS }),
        ...exit.problems,
      ],
    };
  },
};

export const callVariants: readonly Variant[] = [
  deadline,
  secondSignal,
  thirdSignal,
  deaf,
  toolFinishes,
  toolHangs,
  idle,
];
