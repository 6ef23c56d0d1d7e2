import { describe, expect, it } from 'vitest';
import { StateChanges } from './state-changes.ts';

describe('what is told of a state', () => {
  it('is what has changed since it was told last, field by field, with null for what is gone', () => {
    const state: Record<string, unknown> = { a: 1, b: { c: [1] }, gone: 'x' };
    const changes = new StateChanges(state);
    expect(changes.take()).toBeUndefined();
    (state['b'] as { c: number[] }).c.push(2);
    delete state['gone'];
    state['new'] = true;
    const told = changes.take();
    expect(told).toEqual({ b: { c: [1, 2] }, gone: null, new: true });
    expect(changes.take()).toBeUndefined();
    // What was told is not changed any more.
    (state['b'] as { c: number[] }).c.push(3);
    expect(told).toEqual({ b: { c: [1, 2] }, gone: null, new: true });
  });

  it('is not what somebody else has told, and is what was changed beside that', () => {
    const state: Record<string, unknown> = { a: 1 };
    const changes = new StateChanges(state);
    Object.assign(state, { a: 2, b: 2 });
    changes.told(['a']);
    expect(changes.take()).toEqual({ b: 2 });
  });

  it('leaves out what is no JSON', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const state: Record<string, unknown> = {};
    const changes = new StateChanges(state);
    Object.assign(state, { circle, count: 1n, call: () => 1, fine: 1 });
    expect(changes.take()).toEqual({ fine: 1 });
  });
});
