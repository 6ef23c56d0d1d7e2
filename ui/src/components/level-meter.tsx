import type { ComponentChild } from 'preact';

const SEGMENTS = 16;

/** How loud the microphone is. For the eyes only: who cannot see it hears the answer. */
export function LevelMeter({
  level,
  isOn,
}: {
  readonly level: number;
  readonly isOn: boolean;
}): ComponentChild {
  const lit = Math.round(level * SEGMENTS);
  return (
    <div class={isOn ? 'meter' : 'meter meter-off'} aria-hidden="true" title="Microphone level">
      {Array.from({ length: SEGMENTS }, (_, index) => (
        <span key={index} class={index < lit ? 'segment lit' : 'segment'} />
      ))}
    </div>
  );
}
