// What becomes of messages, as functions of the database: one for each kind of change, over all its items in their order. Each
// gives how many messages were new. `x` is the items as JSON, with bytes in base64; the client's side of it is ../changes.ts.
// PF001 is a use that the contract forbids: nothing of the batch is done then.

/** The row of the message that `i` names, or a fault. */
const FIND = `SELECT m.row, m.state INTO r, st FROM @.message m
      WHERE m.account = a AND m.uidl = decode(i->>'u', 'base64') AND m.copy = (i->>'c')::integer;
    IF NOT FOUND THEN RAISE EXCEPTION 'a message that was never begun' USING ERRCODE = 'PF001'; END IF;`

/** Makes the message of `i` known; `is_new` says whether it was not, `r` is its row. */
function insert(state: number, attempts: number, reason = 'NULL', bytes = "(i->>'b')::bigint"): string {
  return `INSERT INTO @.message AS m (account, row, uidl, copy, state, attempts, first_seen_ms, listed_bytes, reason)
      VALUES (a, last + n + 1, decode(i->>'u', 'base64'), (i->>'c')::integer, ${state}, ${attempts}, now_ms, ${bytes}, ${reason})
      ON CONFLICT (account, uidl, copy) DO NOTHING RETURNING m.row INTO r;
    is_new := FOUND;
    IF is_new THEN n := n + 1; ELSE ${FIND} END IF;`
}

/** A function over the items of `x`. */
export function overItems(name: string, body: string, more = ''): string {
  return `CREATE FUNCTION @.${name}_1(a integer, last integer, x jsonb, now_ms bigint, keep text) RETURNS integer
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE i jsonb; r integer; st smallint; n integer := 0; is_new boolean; ${more}
  BEGIN
    FOR i IN SELECT value FROM jsonb_array_elements(x) LOOP
    ${body}
    END LOOP;
    RETURN n;
  END $function$;`
}

// What the deliveries of a message that are not done amount to.
const UNDONE = `SELECT count(*), coalesce(min(d.retry_after_ms), 0), coalesce(bool_or(d.state = 3), false)
      INTO undone, due, is_refused FROM @.delivery d WHERE d.account = a AND d.row = r AND d.state <> 2;`
const UNDONE_VARIABLES = 'undone bigint; due bigint; is_refused boolean;'

/** `more`: columns of a later step, each with its value for an attempt that begins. */
function begin(more: readonly (readonly [column: string, value: string])[]): string {
  const names = more.map(([column]) => `, ${column}`).join('')
  const values = more.map(([, value]) => `, ${value}`).join('')
  const again = more.map(([column]) => `, ${column} = excluded.${column}`).join('')
  return overItems(
    'begin',
    `${insert(0, 1)}
    INSERT INTO @.delivery AS d (account, row, destination, recipient, state, intent, attempts${names})
      SELECT a, r, decode(e->>'d', 'base64'), decode(e->>'r', 'base64'), 1, decode(e->>'i', 'base64'), 1${values}
      FROM jsonb_array_elements(i->'d') e
      ON CONFLICT (account, row, destination, recipient) DO UPDATE
      SET state = 1, intent = excluded.intent, attempts = d.attempts + 1, retry_after_ms = 0, handed_over = false${again};
    IF NOT is_new THEN
      ${UNDONE}
      UPDATE @.message m SET state = CASE WHEN is_refused THEN 4 ELSE 0 END, retry_after_ms = due, attempts = attempts + 1,
        listed_bytes = coalesce(listed_bytes, (i->>'b')::bigint) WHERE m.account = a AND m.row = r;
    END IF;`,
    UNDONE_VARIABLES,
  )
}

/** The same name as before, so that an older version calls it as well: of its attempts nobody knows the machine. */
export const BEGIN_WITH_MACHINE = replaced(begin([['machine', "decode(i->>'m', 'base64')"]]))

/** In place of the function that an earlier step made. */
export function replaced(sql: string): string {
  return sql.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION')
}

// `o`: the state that the attempt ended in. `k`: it counts. `g`: what was received, null where nothing new is known.
const SETTLE = overItems(
  'settle',
  `${FIND}
    outcome := (i->>'o')::smallint;
    counts := (i->>'k')::boolean;
    UPDATE @.delivery d SET state = outcome, unknowns = unknowns + (outcome = 4)::integer,
      refusals = refusals + (counts AND outcome = 3)::integer, deferrals = deferrals + (counts AND outcome = 5)::integer,
      conclusion = CASE WHEN outcome = 2 THEN NULL ELSE coalesce(decode(i->>'n', 'base64'), conclusion) END,
      retry_after_ms = (i->>'w')::bigint, settled_ms = now_ms, receipt = decode(i->>'p', 'base64'),
      error = decode(i->>'e', 'base64')
      WHERE d.account = a AND d.row = r AND d.destination = decode(i->>'d', 'base64') AND d.recipient = decode(i->>'r', 'base64');
    IF NOT FOUND THEN RAISE EXCEPTION 'settling a delivery that was never begun' USING ERRCODE = 'PF001'; END IF;
    ${UNDONE}
    g := i->'g';
    is_done := undone = 0;
    drops := is_done AND keep = 'open';
    UPDATE @.message m SET
      state = CASE WHEN is_done THEN 1 WHEN st = 3 THEN 3 WHEN is_refused THEN 4 ELSE 0 END,
      retry_after_ms = due, attempts = 0, delivered_ms = CASE WHEN is_done THEN now_ms END,
      reason = CASE WHEN is_done THEN NULL ELSE coalesce(decode(i->>'e', 'base64'), reason) END,
      received_bytes = CASE WHEN g IS NULL THEN received_bytes ELSE (g->>'b')::bigint END,
      digest = CASE WHEN g IS NULL THEN digest ELSE decode(g->>'g', 'base64') END,
      fingerprint = CASE WHEN g IS NULL THEN fingerprint ELSE decode(g->>'f', 'base64') END,
      message_id = CASE WHEN g IS NULL THEN message_id ELSE decode(g->>'m', 'base64') END,
      sender = CASE WHEN drops THEN NULL ELSE coalesce(decode(g->>'s', 'base64'), sender) END,
      subject = CASE WHEN drops THEN NULL ELSE coalesce(decode(g->>'j', 'base64'), subject) END,
      date_ms = CASE WHEN drops THEN NULL ELSE coalesce((g->>'t')::bigint, date_ms) END
      WHERE m.account = a AND m.row = r;`,
  `${UNDONE_VARIABLES} outcome smallint; counts boolean; g jsonb; is_done boolean; drops boolean;`,
)

const HAND_OVER = overItems(
  'hand_over',
  `${FIND}
    UPDATE @.delivery d SET handed_over = true WHERE d.account = a AND d.row = r AND d.state = 1
      AND d.destination = decode(i->>'d', 'base64') AND d.recipient = decode(i->>'r', 'base64');
    IF NOT FOUND THEN RAISE EXCEPTION 'handing over a delivery that was never begun' USING ERRCODE = 'PF001'; END IF;`,
)

// What was handed over may have arrived, whatever else is known of it (P2, never deliver twice unsaid).
const ABANDON = overItems(
  'abandon',
  `${FIND}
    UPDATE @.delivery d SET state = 0 WHERE d.account = a AND d.row = r AND d.state = 1 AND NOT d.handed_over;
    UPDATE @.message m SET reason = coalesce(decode(i->>'e', 'base64'), reason),
      attempts = greatest(0, attempts - CASE WHEN (i->>'k')::boolean THEN 0 ELSE 1 END) WHERE m.account = a AND m.row = r;`,
)

const HOLD = overItems(
  'hold',
  `${insert(3, 0, "decode(i->>'e', 'base64')")}
    IF NOT is_new THEN
      UPDATE @.message m SET state = 3, reason = decode(i->>'e', 'base64') WHERE m.account = a AND m.row = r;
    END IF;`,
)

const DELETED = overItems(
  'deleted',
  `${FIND}
    UPDATE @.message m SET deletions = deletions + 1, deleted_ms = now_ms, deletion_wanted_ms = NULL, deletion_tried = NULL,
      deletion_reason = NULL WHERE m.account = a AND m.row = r;`,
)

const NOTE_DELETION = overItems(
  'note_deletion',
  `${FIND}
    IF i->>'e' IS NULL THEN
      UPDATE @.message m SET deletion_wanted_ms = NULL, deletion_tried = NULL, deletion_reason = NULL
        WHERE m.account = a AND m.row = r;
    ELSE
      UPDATE @.message m SET deletion_wanted_ms = coalesce(deletion_wanted_ms, now_ms),
        deletion_tried = coalesce(deletion_tried, 0) + (i->>'k')::boolean::integer, deletion_reason = decode(i->>'e', 'base64')
        WHERE m.account = a AND m.row = r AND m.gone_since_ms IS NULL;
    END IF;`,
)

const NOTE_HARM = overItems(
  'note_harm',
  `${insert(0, 0, 'NULL', 'NULL')}
    UPDATE @.message m SET harm_command = i->>'h',
      harm_times = CASE WHEN i->>'h' IS NULL THEN NULL ELSE coalesce(harm_times, 0) + 1 END,
      harm_last_ms = CASE WHEN i->>'h' IS NULL THEN NULL ELSE now_ms END WHERE m.account = a AND m.row = r;`,
)

const NOTE_HEADING = overItems(
  'note_heading',
  `UPDATE @.message m SET sender = coalesce(decode(i->>'s', 'base64'), sender),
      subject = coalesce(decode(i->>'j', 'base64'), subject), date_ms = coalesce((i->>'t')::bigint, date_ms)
      WHERE m.account = a AND m.uidl = decode(i->>'u', 'base64') AND m.copy = (i->>'c')::integer
      AND NOT (keep = 'open' AND m.state IN (1, 2));`,
)

const NOTE_HEADER = overItems(
  'note_header',
  `UPDATE @.message m SET fingerprint = decode(i->>'f', 'base64'), message_id = decode(i->>'m', 'base64'),
      listed_bytes = coalesce(listed_bytes, (i->>'b')::bigint), sender = coalesce(decode(i->>'s', 'base64'), sender),
      subject = coalesce(decode(i->>'j', 'base64'), subject), date_ms = coalesce((i->>'t')::bigint, date_ms)
      WHERE m.account = a AND m.uidl = decode(i->>'u', 'base64') AND m.copy = (i->>'c')::integer AND m.fingerprint IS NULL
      AND (m.state = 2 OR (m.state = 1 AND NOT EXISTS (SELECT 1 FROM @.delivery d WHERE d.account = a AND d.row = m.row)));`,
)

// Thousands at once, so in two statements: what is new, and what was skipped and counts as delivered now.
const SEE = `CREATE FUNCTION @.see_1(a integer, last integer, x jsonb, now_ms bigint, keep text) RETURNS integer
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE n integer;
  BEGIN
    WITH given AS MATERIALIZED (
      SELECT DISTINCT ON (uidl, copy) uidl, copy, state, first_ms, bytes, place FROM (
        SELECT decode(i->>'u', 'base64') AS uidl, (i->>'c')::integer AS copy,
          CASE WHEN (i->>'k')::boolean THEN 1 ELSE 2 END AS state,
          least(coalesce((i->>'t')::bigint, now_ms), now_ms) AS first_ms, (i->>'b')::bigint AS bytes, place
        FROM jsonb_array_elements(x) WITH ORDINALITY AS e (i, place)) each
      ORDER BY uidl, copy, state, place
    ), before AS (
      UPDATE @.message m SET state = 1, first_seen_ms = least(m.first_seen_ms, g.first_ms)
      FROM given g WHERE m.account = a AND m.uidl = g.uidl AND m.copy = g.copy AND m.state = 2 AND g.state = 1
    )
    INSERT INTO @.message (account, row, uidl, copy, state, first_seen_ms, listed_bytes)
    SELECT a, last + row_number() OVER (ORDER BY g.place), g.uidl, g.copy, g.state, g.first_ms, g.bytes FROM given g
    WHERE NOT EXISTS (SELECT 1 FROM @.message m WHERE m.account = a AND m.uidl = g.uidl AND m.copy = g.copy);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
  END $function$;`

export const MESSAGE_FUNCTIONS = [
  begin([]),
  SETTLE,
  HAND_OVER,
  ABANDON,
  HOLD,
  DELETED,
  NOTE_DELETION,
  NOTE_HARM,
  NOTE_HEADING,
  NOTE_HEADER,
  SEE,
].join('\n')
