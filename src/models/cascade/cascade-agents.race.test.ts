import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CascadeRig, HandTts } from '../../../test/support/cascade-rig.ts';
import type { Content } from '../../protocol/index.ts';
import { textContent } from '../../protocol/index.ts';
import { Agent, AgentTask, handoff, tool } from '../../session/index.ts';
import type { Tool, ToolContext } from '../../session/index.ts';
import type { LanguageModel } from '../../speech/index.ts';
import { cascade } from './index.ts';

const RUNS = 500;

const HAPPENINGS = [
  'types',
  'types for a handoff',
  'types for a task',
  'types for a tool',
  'asks',
  'asks',
  'murmurs',
  'coughs',
  'says',
  'says firmly',
  'interrupts',
  'hands over',
  'runs a task',
  'task completes',
] as const;

const plain = (name: string, execute: (context: ToolContext) => unknown): Tool =>
  tool({ name, description: '', execute: (_args, context) => execute(context) });

/** Texts of one role that follow each other are one. */
function joined(history: readonly Content[]): string[] {
  const lines: string[] = [];
  let role = '';
  for (const content of history) {
    for (const part of content.parts) {
      const text = part.text?.trim();
      if (text === '') continue;
      if (text === undefined) {
        lines.push(
          part.functionCall === undefined
            ? `result ${part.functionResponse?.id}`
            : `call ${part.functionCall.id}`,
        );
        role = '';
      } else if (role === content.role) lines[lines.length - 1] += ` ${text}`;
      else lines.push(`${content.role}: ${text}`);
      role = text === undefined ? '' : content.role;
    }
  }
  return lines;
}

/** Every word that there was, and who said it. */
const bag = (history: readonly Content[]): string[] =>
  history
    .flatMap(({ role, parts }) =>
      parts.flatMap((part) =>
        part.text === undefined
          ? [`${part.functionCall?.id ?? `result ${part.functionResponse?.id}`}`]
          : part.text.split(/\s+/).map((word) => `${role}: ${word}`),
      ),
    )
    .sort();

describe('a cascade of several agents, in any order of events', () => {
  it('R2 S4 each agent knows what was said, as the session does, once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...HAPPENINGS), fc.constantFrom(0, 50, 200, 900, 3_000)), {
          maxLength: 12,
        }),
        fc.boolean(),
        async (happenings, preemptiveGeneration) => {
          let count = 0;
          const isFirm = happenings.some(([what]) => what === 'says firmly');
          let ids = 0;
          const tasks: AgentTask[] = [];
          const word = (): string => `${(count += 1)}`;
          const slow = (ms: number): Promise<void> =>
            new Promise((resolve) => void rig.clock.setTimer(ms, resolve));
          const tools = (): Tool[] => [
            plain('handoff', () => handoff(agent())),
            plain('task', ({ runTask }) => runTask(task())),
            plain('slow', () => slow(400).then(() => 'done')),
          ];
          const names = { n: 0 };
          const agent = (): Agent => {
            names.n += 1;
            const model =
              names.n % 3 === 0
                ? cascade({ stt: rig.stt, vad: rig.vad, llm, tts: new HandTts({ pace: 3 }) })
                : undefined;
            return new Agent({
              name: `agent${names.n}`,
              tools: tools(),
              ...(model === undefined ? {} : { model }),
            });
          };
          const task = (): AgentTask => {
            const made = new AgentTask({ name: `task${tasks.length}`, tools: () => tools() });
            tasks.push(made);
            return made;
          };
          const requests: { history: readonly Content[] }[] = [];
          const llm: LanguageModel = {
            id: 'llm',
            generate: async ({ history }, sink, scope) => {
              requests.push({ history: structuredClone(history) });
              await scope.sleep(100);
              const last = history.at(-1)?.parts[0]?.text ?? '';
              const wants = /(handoff|task|slow)/.exec(last)?.[1];
              sink.text(`Answer ${word()} is `);
              await scope.sleep(150);
              if (wants !== undefined) {
                ids += 1;
                sink.toolCall({ id: `${ids}`, name: wants, args: {} });
                return 'tools';
              }
              sink.text(`this ${word()}, and ends here ${word()}.`);
              return 'stop';
            },
          };
          const rig = await CascadeRig.live({
            script: [],
            pace: 3,
            session: {
              agent: new Agent({ name: 'clerk', tools: tools() }),
            },
            llm,
            preemptiveGeneration,
          } as never);
          const happens = async (what: (typeof HAPPENINGS)[number]): Promise<void> => {
            const { session } = rig;
            switch (what) {
              case 'types':
                session.queue.sendContent(textContent('user', `Typed ${word()}`));
                return;
              case 'types for a handoff':
                session.queue.sendContent(textContent('user', `Typed handoff ${word()}`));
                return;
              case 'types for a task':
                session.queue.sendContent(textContent('user', `Typed task ${word()}`));
                return;
              case 'types for a tool':
                session.queue.sendContent(textContent('user', `Typed slow ${word()}`));
                return;
              case 'asks':
                rig.speaks();
                await rig.clock.advance(700);
                rig.quiet();
                rig.writes(`Spoken words ${word()}.`);
                return;
              case 'murmurs':
                rig.speaks();
                await rig.clock.advance(200);
                rig.quiet();
                rig.writes('mhm');
                return;
              case 'coughs':
                rig.speaks();
                await rig.clock.advance(700);
                rig.quiet();
                return;
              case 'says':
                session.say(`Said ${word()} here.`);
                return;
              case 'says firmly':
                session.say(`Firmly said ${word()} here.`, { interruptible: false });
                return;
              case 'interrupts':
                if (!isFirm) session.interrupt();
                return;
              case 'hands over':
                session.handoff(agent()).catch(() => undefined);
                return;
              case 'runs a task':
                session.runTask(task()).catch(() => undefined);
                return;
              case 'task completes':
                tasks.at(-1)?.complete('done');
                return;
            }
          };
          for (const [what, ms] of happenings) {
            await happens(what);
            await rig.clock.advance(ms);
          }
          await rig.clock.advance(40_000);
          while (rig.session.currentAgent instanceof AgentTask) {
            rig.session.currentAgent.complete('done');
            await rig.clock.advance(40_000);
          }
          expect(rig.session.state).toBe('live');
          expect(rig.session.currentSpeech).toBe(undefined);
          rig.session.queue.sendContent(textContent('user', 'Last'));
          await rig.clock.advance(90);
          const told = requests.at(-1)!.history;
          expect(bag(told), `${joined(told).join('\n')}\n---\n${joined(rig.known).join('\n')}`).toEqual(
            bag(rig.known),
          );
          void rig.session.close();
          await rig.clock.advance(10_000);
          expect(rig.session.resources()).toEqual([]);
          expect(rig.clock.pendingTimers).toBe(0);
          expect(rig.book.at('error')).toEqual([]);
        },
      ),
      { numRuns: RUNS },
    );
  }, 240_000);
});
