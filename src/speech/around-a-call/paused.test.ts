import { describe, expect, it } from 'vitest';
import { CascadeRig } from '../../../test/support/cascade-rig.ts';
import { textContent } from '../../protocol/index.ts';
import type { RecordingSink } from '../recording-file.ts';
import { recordSession } from './index.ts';

const ANSWER = 'It takes five working days.';

/** A recording in memory. */
class Memory implements RecordingSink {
  readonly name = 'memory';
  bytes = new Uint8Array(0);

  write(bytes: Uint8Array, at: number): Promise<void> {
    const grown = new Uint8Array(Math.max(this.bytes.length, at + bytes.length));
    grown.set(this.bytes);
    grown.set(bytes, at);
    this.bytes = grown;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('a pause of a cascade', () => {
  it('S4 a recording has what was heard before it and after it, once, in order', async () => {
    const rig = await CascadeRig.live({ script: [{ say: ANSWER }] });
    const memory = new Memory();
    recordSession(rig.session, { to: memory });
    rig.session.queue.sendContent(textContent('user', 'How long?'));
    await rig.clock.advance(300);
    rig.speaks();
    await rig.clock.advance(700);
    rig.quiet();
    await rig.clock.advance(3_000);
    expect(rig.of('resumed')).toHaveLength(1);
    void rig.session.close();
    await rig.clock.advance(2_000);
    const samples = new Int16Array(memory.bytes.buffer, 44);
    const marks = samples.filter((mark, index) => index % 2 === 1 && mark !== 0);
    expect(marks.length / 24).toBe((ANSWER.length + 1) * 50);
    expect(marks).toEqual(marks.toSorted());
  });
});
