/** How long an event loop has been at work and has waited, in milliseconds, since some moment. */
export interface EventLoopTime {
  readonly activeMs: number;
  readonly idleMs: number;
}

/** How busy the thread is that a program runs on: a port, so that tests say how busy it is. */
export interface EventLoop {
  time(): EventLoopTime;
}

/** What Node's `performance` has besides that of browsers. */
interface NodePerformance {
  eventLoopUtilization?(): { readonly active: number; readonly idle: number };
}

/** The one of this thread. Where the platform does not tell, it is never busy. */
export const systemEventLoop: EventLoop = {
  time: () => {
    const { active = 0, idle = 0 } = (performance as NodePerformance).eventLoopUtilization?.() ?? {};
    return { activeMs: active, idleMs: idle };
  },
};
