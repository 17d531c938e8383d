// Which of several messages is this one? Changes of messages that went, came back, have other UIDLs now, or were found at their
// destinations; and what people have forgotten. As message-functions.ts, but that removals give how many they were.
import { overItems, replaced } from './message-functions.ts'

const FACTS = `received_bytes = (g->>'b')::bigint, digest = decode(g->>'g', 'base64'), fingerprint = decode(g->>'f', 'base64'),
      message_id = decode(g->>'m', 'base64'), sender = coalesce(decode(g->>'s', 'base64'), sender),
      subject = coalesce(decode(g->>'j', 'base64'), subject), date_ms = coalesce((g->>'t')::bigint, date_ms)`
const NO_HEADING = 'UPDATE @.message m SET sender = NULL, subject = NULL, date_ms = NULL'
const AT = "m.account = a AND m.uidl = decode(i->>'u', 'base64') AND m.copy = (i->>'c')::integer"

const RETURNED = overItems('returned', `UPDATE @.message m SET gone_since_ms = NULL, gone_listing = NULL WHERE ${AT};`)

const RESTART_AGE = overItems('restart_age', `UPDATE @.message m SET first_seen_ms = now_ms WHERE ${AT};`)

const ADOPT = overItems(
  'adopt',
  `st := (i->>'o')::smallint;
    r := NULL;
    INSERT INTO @.message AS m (account, row, uidl, copy, state, first_seen_ms, listed_bytes, delivered_ms)
      VALUES (a, last + n + 1, decode(i->>'u', 'base64'), (i->>'c')::integer, st, now_ms, (i->>'b')::bigint,
        CASE WHEN st = 1 THEN now_ms END)
      ON CONFLICT (account, uidl, copy) DO NOTHING RETURNING m.row INTO r;
    IF r IS NOT NULL THEN
      n := n + 1;
    ELSIF jsonb_array_length(i->'d') > 0 THEN
      UPDATE @.message m SET state = st, listed_bytes = coalesce(listed_bytes, (i->>'b')::bigint),
        delivered_ms = CASE WHEN st = 1 THEN now_ms END, harm_command = NULL, harm_times = NULL, harm_last_ms = NULL
        WHERE ${AT} AND m.state = 0 AND m.received_bytes IS NULL
        AND NOT EXISTS (SELECT 1 FROM @.delivery d WHERE d.account = a AND d.row = m.row) RETURNING m.row INTO r;
    END IF;
    IF r IS NOT NULL THEN
      INSERT INTO @.delivery (account, row, destination, recipient, state, unknowns, intent, attempts, settled_ms, receipt)
        SELECT a, r, decode(e->>'d', 'base64'), decode(e->>'r', 'base64'), (e->>'o')::smallint,
          ((e->>'o')::smallint = 4)::integer, decode(e->>'i', 'base64'), ((e->>'o')::smallint = 2)::integer,
          CASE WHEN (e->>'o')::smallint = 2 THEN now_ms END, decode(e->>'p', 'base64')
        FROM jsonb_array_elements(i->'d') e;
    END IF;`,
)

const CONFIRM = overItems(
  'confirm',
  `UPDATE @.message m SET state = 1, delivered_ms = now_ms, attempts = 0, reason = NULL, retry_after_ms = 0
      WHERE ${AT} AND m.state = 0
      AND NOT EXISTS (SELECT 1 FROM @.delivery d WHERE d.account = a AND d.row = m.row AND d.state <> 2);
    g := i->'g';
    IF g IS NOT NULL THEN
      UPDATE @.message m SET ${FACTS} WHERE ${AT};
      IF NOT FOUND THEN RAISE EXCEPTION 'confirming a message that is not known' USING ERRCODE = 'PF001'; END IF;
    END IF;
    IF keep = 'open' THEN ${NO_HEADING} WHERE ${AT} AND m.state = 1; END IF;`,
  'g jsonb;',
)

const REKEY = overItems(
  'rekey',
  `UPDATE @.message m SET uidl = decode(i->>'v', 'base64'), copy = (i->>'w')::integer WHERE ${AT};
    IF NOT FOUND THEN RAISE EXCEPTION 'giving a new UIDL to a message that is not known' USING ERRCODE = 'PF001'; END IF;`,
)

/** A function that removes the rows of messages, of `x` or of the account, and gives how many. */
function removal(name: string, rows: string, before = ''): string {
  return `CREATE FUNCTION @.${name}_1(a integer, x jsonb, now_ms bigint) RETURNS integer
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE n integer;
  BEGIN
    ${before}
    WITH gone AS (
      DELETE FROM @.message m WHERE m.account = a AND m.row IN (${rows}) RETURNING m.row
    ), parts AS (
      DELETE FROM @.delivery d USING gone WHERE d.account = a AND d.row = gone.row
    )
    SELECT count(*) INTO n FROM gone;
    RETURN n;
  END $function$;`
}

const GIVEN = "SELECT value::integer FROM jsonb_array_elements_text(x->'rows')"
// A message that never came, or was kept back for its announced size alone, is nothing to remember (S044).
const NEVER_CAME = `m.state IN (0, 3) AND m.received_bytes IS NULL AND m.attempts = 0 AND m.harm_command IS NULL
      AND NOT EXISTS (SELECT 1 FROM @.delivery d WHERE d.account = m.account AND d.row = m.row
        AND (d.state <> 0 OR d.unknowns + d.refusals + d.deferrals > 0))`

const GONE = removal(
  'gone',
  `SELECT m.row FROM @.message m WHERE m.account = a AND m.row IN (${GIVEN}) AND m.gone_since_ms IS NULL`,
  `UPDATE @.message m SET gone_since_ms = now_ms, deletion_wanted_ms = NULL, deletion_tried = NULL, deletion_reason = NULL,
      gone_listing = CASE WHEN (x->>'keep')::boolean AND m.deletions = 0 THEN NULL
        ELSE (SELECT c.listings + 1 FROM @.account c WHERE c.id = a) END
      WHERE m.account = a AND m.row IN (${GIVEN}) AND m.gone_since_ms IS NULL AND NOT (${NEVER_CAME});`,
)

// The listing of this poll is not counted yet.
const FORGET_ABSENT = removal(
  'forget_absent',
  `SELECT m.row FROM @.message m, @.account c WHERE c.id = a AND m.account = a AND m.gone_since_ms <= (x->>'until')::bigint
      AND m.gone_listing IS NOT NULL AND m.state IN (1, 2) AND m.gone_listing <= c.listings + 2 - (x->>'listings')::bigint
      LIMIT (x->>'most')::bigint`,
)

const FORGET_KEYS = removal(
  'forget_keys',
  `SELECT m.row FROM @.message m, jsonb_array_elements(x->'keys') e
      WHERE m.account = a AND m.uidl = decode(e->>'u', 'base64') AND m.copy = (e->>'c')::integer`,
)

const FORGET_SOME = removal(
  'forget_some',
  "SELECT m.row FROM @.message m WHERE m.account = a LIMIT (x->>'most')::integer",
)

// `x.which`: the ways to wait. Gives how many messages are due now.
/** `last`: what a later step does besides. */
const retry = (last: string): string => `CREATE FUNCTION @.retry_1(a integer, x jsonb, now_ms bigint) RETURNS integer
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE n integer := 0; more integer; states smallint[] := '{}';
  BEGIN
    IF x->'which' ? 'held' THEN
      UPDATE @.delivery d SET retry_after_ms = 0, unknowns = 0 FROM @.message m
        WHERE m.account = a AND m.state = 3 AND d.account = a AND d.row = m.row AND d.state <> 2;
      UPDATE @.message m SET attempts = 0, retry_after_ms = 0, state = CASE WHEN EXISTS
        (SELECT 1 FROM @.delivery d WHERE d.account = a AND d.row = m.row AND d.state = 3) THEN 4 ELSE 0 END
        WHERE m.account = a AND m.state = 3;
      GET DIAGNOSTICS n = ROW_COUNT;
    END IF;
    IF x->'which' ? 'deferred' THEN states := states || '{5,4}'::smallint[]; END IF;
    IF x->'which' ? 'refused' THEN states := states || '{3}'::smallint[]; END IF;
    WITH due AS (
      UPDATE @.delivery d SET retry_after_ms = 0 FROM @.message m WHERE m.account = a AND m.state IN (0, 4)
        AND d.account = a AND d.row = m.row AND d.state = ANY (states) RETURNING d.row
    )
    UPDATE @.message m SET retry_after_ms = 0 WHERE m.account = a AND m.row IN (SELECT due.row FROM due);
    GET DIAGNOSTICS more = ROW_COUNT;
${last}    RETURN n + more;
  END $function$;`

/** An attempt that was made elsewhere counts as made on the machine of this name. */
export const RETRY_WITH_MACHINE = replaced(
  retry(`    IF x->'which' ? 'elsewhere' THEN
      WITH here AS (
        UPDATE @.delivery d SET machine = decode(x->>'machine', 'base64') FROM @.message m
          WHERE m.account = a AND m.state IN (0, 4) AND d.account = a AND d.row = m.row AND d.state IN (1, 4)
          AND d.machine <> decode(x->>'machine', 'base64') RETURNING d.row
      )
      SELECT n + count(DISTINCT here.row) INTO n FROM here;
    END IF;
`),
)

export const IDENTITY_FUNCTIONS = [
  RETURNED,
  RESTART_AGE,
  ADOPT,
  CONFIRM,
  REKEY,
  GONE,
  FORGET_ABSENT,
  FORGET_KEYS,
  FORGET_SOME,
  retry(''),
].join('\n')
