import { describe, expect, it } from 'vitest';
import { InvalidOptionError, seededRandom } from '../../../kernel/index.ts';
import { FaultPlan } from '../fault-plan.ts';
import { geminiFaults } from './fault-script.ts';

const parseFaultScript = geminiFaults.parseScript.bind(geminiFaults);

describe('fault script', () => {
  it('gives each fault the moment that fits it', () => {
    const moments = (
      ['refuseTcp', 'neverAnswerUpgrade', 'neverSetupComplete', 'silence', 'ignoreClose', 'reset'] as const
    ).map((type) => parseFaultScript([{ what: { type } }]).rules[0]?.when.on);
    expect(moments).toEqual(['dial', 'upgrade', 'setup', 'turn', 'close', 'setupComplete']);
  });

  it.each([
    ['an unknown fault', [{ what: { type: 'explode' } }], 'what.type'],
    ['an unknown field', [{ when: { On: 'setup' }, what: { type: 'reset' } }], 'On'],
    [
      'a moment at which it cannot happen',
      [{ when: { on: 'turn' }, what: { type: 'refuseTcp' } }],
      'it can on dial',
    ],
    ['a code that never travels', [{ what: { type: 'close', code: 1006 } }], 'use "reset" for 1006'],
    [
      'a reason that fits no frame',
      [{ what: { type: 'close', code: 1000, reason: 'é'.repeat(62) } }],
      '123 bytes',
    ],
    [
      'a silence that comes too late',
      [{ when: { after: { ms: 5 } }, what: { type: 'silence' } }],
      'cannot come after',
    ],
    ['something that is no list', { what: {} }, 'expected array'],
  ])('refuses %s and says where it stands', (_, script, message) => {
    expect(() => parseFaultScript(script)).toThrow(InvalidOptionError);
    expect(() => parseFaultScript(script)).toThrow(message);
  });
});

describe('fault plan', () => {
  it('draws by connection, by occurrence, and as often as it may', () => {
    const plan = new FaultPlan(geminiFaults, seededRandom(1));
    plan.add([
      { when: { connection: 2, on: 'turn', nth: 3 }, what: { type: 'silence' } },
      { when: { on: 'turn', times: 2 }, what: { type: 'reset' } },
    ]);
    const fitted = [new Map(), new Map(), new Map()];
    const drawn = (connection: number): string[] =>
      plan.draw({ moment: 'turn', connection }, fitted[connection]!).map(({ what }) => what.type);
    expect([drawn(1), drawn(2), drawn(2), drawn(2), drawn(2)]).toEqual([
      ['reset'],
      ['reset'],
      [],
      ['silence'],
      [],
    ]);
    plan.clear();
    expect(drawn(2)).toEqual([]);
    expect(plan.watches('turn')).toBe(false);
  });
});
