/** Small, so that they are reached, and as short as a loaded machine allows, so that they are reached soon. */
export const TARGET_LIMITS = {
  maxMessageBytes: 64 * 1024,
  maxBodyBytes: 64 * 1024,
  headersTimeoutMs: 2_000,
  requestTimeoutMs: 3_000,
  keepAliveTimeoutMs: 500,
  helloTimeoutMs: 2_000,
  clientGraceMs: 500,
  socketCloseTimeoutMs: 500,
  maxBufferedBytes: 100_000,
  slowClientTimeoutMs: 1_000,
  // What is busy here is the machine that runs the tests.
  maxEventLoopUtilization: 1,
  maxConnections: 300,
  maxLiveSessions: 300,
  maxLiveSessionsPerUser: 200,
  upgradesPerMinutePerAddress: 100,
  newSessionsPerMinutePerAddress: 1_000,
  newSessionsPerMinutePerUser: 10_000,
  // Those who abuse it are told apart by X-Forwarded-For.
  trustProxy: ['127.0.0.1'],
  unlimitedAddresses: [],
};
