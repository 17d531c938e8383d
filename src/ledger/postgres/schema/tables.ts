// The tables of a ledger in PostgreSQL. `@.` stands for the schema, in every statement of this folder. Text that others wrote, and
// names, are bytea: a NUL in text would be refused for ever (22021), and databases have encodings of their own.

// `row` counts messages within an account, from `account.last_row`. `message.state` and `delivery.state` are the numbers of
// ../../stored.ts. `worker` has a row for each process, which is fenced off by removing it; `lease` one for
// each account at work, and `share` one for each thing that it uses meanwhile: both end with the row of their worker.
export const TABLES = `
  CREATE TABLE @.ledger (
    version integer NOT NULL,
    oldest integer NOT NULL,
    identity uuid NOT NULL,
    moved_to bytea
  );

  CREATE SEQUENCE @.token AS bigint;

  CREATE TABLE @.worker (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bytea NOT NULL,
    machine bytea NOT NULL,
    program bytea NOT NULL,
    since_ms bigint,
    version integer NOT NULL,
    session_lock bigint NOT NULL,
    renewed timestamptz NOT NULL,
    alive_until timestamptz NOT NULL,
    batch bigint NOT NULL DEFAULT 0,
    results bigint[] NOT NULL DEFAULT '{}'
  ) WITH (fillfactor = 50);

  CREATE TABLE @.lease (
    account bytea PRIMARY KEY,
    worker integer NOT NULL,
    token bigint NOT NULL,
    batch bigint NOT NULL,
    woken boolean NOT NULL DEFAULT false
  );
  CREATE INDEX lease_worker ON @.lease (worker);

  CREATE TABLE @.used (key bytea PRIMARY KEY);
  CREATE TABLE @.share (
    key bytea NOT NULL, account bytea NOT NULL, worker integer NOT NULL,
    PRIMARY KEY (key, account)
  );
  CREATE INDEX share_account ON @.share (account);
  CREATE INDEX share_worker ON @.share (worker);

  CREATE TABLE @.account (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bytea NOT NULL UNIQUE,
    host bytea NOT NULL, port integer NOT NULL, username bytea NOT NULL,
    started boolean NOT NULL DEFAULT false,
    known integer NOT NULL DEFAULT 0,
    last_row integer NOT NULL DEFAULT 0,
    last_poll_ms bigint, last_success_ms bigint,
    failures integer NOT NULL DEFAULT 0, refusals integer NOT NULL DEFAULT 0,
    secret_mark integer, paused_until_ms bigint NOT NULL DEFAULT 0,
    error bytea,
    told_state bytea, told_ms bigint,
    listings integer NOT NULL DEFAULT 0,
    mark_digest bytea, mark_due_ms bigint,
    taking_over bytea,
    next_poll_ms bigint
  ) WITH (fillfactor = 70);
  CREATE INDEX account_woken ON @.account (id) WHERE next_poll_ms = 0;

  CREATE TABLE @.fact (
    account integer NOT NULL, name bytea NOT NULL, value bytea NOT NULL,
    PRIMARY KEY (account, name)
  );

  CREATE TABLE @.message (
    account integer NOT NULL, row integer NOT NULL,
    uidl bytea NOT NULL, copy integer NOT NULL,
    state smallint NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    first_seen_ms bigint NOT NULL,
    listed_bytes bigint, received_bytes bigint,
    fingerprint bytea, digest bytea,
    retry_after_ms bigint NOT NULL DEFAULT 0,
    deletions integer NOT NULL DEFAULT 0,
    reason bytea, message_id bytea,
    delivered_ms bigint, deleted_ms bigint, gone_since_ms bigint, gone_listing integer,
    sender bytea, subject bytea, date_ms bigint,
    deletion_wanted_ms bigint, deletion_tried integer, deletion_reason bytea,
    harm_command text, harm_times integer, harm_last_ms bigint,
    PRIMARY KEY (account, row),
    UNIQUE (account, uidl, copy)
  );
  CREATE INDEX message_unsettled ON @.message (account, row) WHERE state IN (0, 3, 4);
  CREATE INDEX message_copies ON @.message (account, uidl) WHERE copy > 0;
  CREATE INDEX message_gone ON @.message (account, row) WHERE gone_since_ms IS NOT NULL;
  CREATE INDEX message_removed ON @.message (account, row) WHERE deletions > 0 AND gone_since_ms IS NULL;
  CREATE INDEX message_undeleted ON @.message (account) WHERE deletion_wanted_ms IS NOT NULL;

  CREATE TABLE @.delivery (
    account integer NOT NULL, row integer NOT NULL,
    destination bytea NOT NULL, recipient bytea NOT NULL,
    state smallint NOT NULL,
    intent bytea NOT NULL,
    attempts integer NOT NULL,
    unknowns integer NOT NULL DEFAULT 0, refusals integer NOT NULL DEFAULT 0, deferrals integer NOT NULL DEFAULT 0,
    retry_after_ms bigint NOT NULL DEFAULT 0,
    handed_over boolean NOT NULL DEFAULT false,
    settled_ms bigint,
    receipt bytea, conclusion bytea, error bytea,
    PRIMARY KEY (account, row, destination, recipient)
  ) WITH (fillfactor = 70);

  CREATE TABLE @.destination (
    key bytea NOT NULL, recipient bytea NOT NULL, record bytea NOT NULL,
    PRIMARY KEY (key, recipient)
  );

  CREATE TABLE @.day (
    account integer NOT NULL, day integer NOT NULL,
    delivered bigint NOT NULL, bytes bigint NOT NULL, failures bigint NOT NULL, longest_wait_ms bigint NOT NULL,
    PRIMARY KEY (account, day)
  );

  CREATE TABLE @.memo (name bytea PRIMARY KEY, memo bytea NOT NULL);

  CREATE TABLE @.pause (
    kind text NOT NULL, name bytea NOT NULL, by_whom bytea NOT NULL, since_ms bigint NOT NULL, until_ms bigint,
    PRIMARY KEY (kind, name)
  );

  INSERT INTO @.ledger (version, oldest, identity) VALUES (0, 0, gen_random_uuid());
`

// Of sign-ins the database knows whose they are, not what they are; `holder` is who may change one (../sign-in-rows.ts).
export const SIGN_INS = `
  CREATE TABLE @.sign_in (name bytea PRIMARY KEY, sealed bytea, holder bytea, held_until timestamptz);
`
