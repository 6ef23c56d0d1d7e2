/** Says in a file's header that it is ours: the letters HOLD. */
export const APPLICATION_ID = 0x48_4f_4c_44;

/**
 * What makes a file of version n one of version n + 1, from an empty file on. A released one is never changed; what is
 * to be different is a new one at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    app TEXT NOT NULL,
    user TEXT NOT NULL,
    id TEXT NOT NULL,
    created_ms REAL NOT NULL,
    updated_ms REAL NOT NULL,
    state TEXT NOT NULL,
    handle TEXT,
    handle_at_ms REAL,
    handle_model TEXT,
    handle_history_length INTEGER,
    pending_calls TEXT,
    input_ms REAL,
    usage TEXT,
    UNIQUE (app, user, id)
  ) STRICT;
  CREATE INDEX sessions_by_change ON sessions (updated_ms);
  CREATE INDEX sessions_of_user ON sessions (app, user, updated_ms);
  CREATE TABLE turns (
    session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (session, position)
  ) STRICT;
  `,
  `ALTER TABLE sessions ADD COLUMN active_agent TEXT;`,
];
