// What is recorded of accounts, destinations and people's wishes, as functions of the database. `x` is the change as JSON, with bytes
// in base64. Each gives a number that its caller knows the meaning of.

interface FunctionParts {
  readonly name: string
  readonly body: string
  readonly variables?: string
}

/** A change of the account `a` (null: of none) of which no message becomes known. */
function change({ name, body, variables = '' }: FunctionParts): string {
  return `CREATE FUNCTION @.${name}_1(a integer, x jsonb, now_ms bigint) RETURNS integer
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE n integer := 0; ${variables}
  BEGIN
    ${body}
    RETURN n;
  END $function$;`
}

const START = change({ name: 'start', body: 'UPDATE @.account SET started = true WHERE id = a;' })

const TAKE_OVER = change({
  name: 'take_over',
  body: "UPDATE @.account SET taking_over = decode(x->>'state', 'base64') WHERE id = a;",
})

// Null takes a fact away.
const MERGE = `CREATE FUNCTION @.merge_facts_1(a integer, x jsonb) RETURNS void LANGUAGE plpgsql AS $function$
  BEGIN
    DELETE FROM @.fact f USING jsonb_array_elements(x) e
      WHERE f.account = a AND f.name = decode(e->>'k', 'base64') AND e->>'v' IS NULL;
    INSERT INTO @.fact (account, name, value)
      SELECT a, decode(e->>'k', 'base64'), decode(e->>'v', 'base64') FROM jsonb_array_elements(x) e WHERE e->>'v' IS NOT NULL
      ON CONFLICT (account, name) DO UPDATE SET value = excluded.value;
  END $function$;`

// Days that are too old go, and so do those to come: a clock was ahead when they were written (S040).
const FINISH = change({
  name: 'finish',
  variables: "d jsonb := x->'day'; today integer := floor(now_ms / 86400000.0)::integer;",
  body: `UPDATE @.account SET host = decode(x->>'host', 'base64'), port = (x->>'port')::integer,
      username = decode(x->>'user', 'base64'), last_poll_ms = (x->>'lastPollMs')::bigint,
      last_success_ms = (x->>'lastSuccessMs')::bigint, failures = (x->>'failures')::integer,
      refusals = (x->>'refusals')::integer, secret_mark = (x->>'secretMark')::integer,
      paused_until_ms = (x->>'pausedUntilMs')::bigint, error = decode(x->>'error', 'base64'),
      listings = listings + (x->>'wholeListing')::boolean::integer,
      mark_digest = decode(x->>'mark', 'base64'), mark_due_ms = (x->>'markDueMs')::bigint WHERE id = a;
    PERFORM @.merge_facts_1(a, x->'facts');
    IF d IS NOT NULL THEN
      DELETE FROM @.day WHERE account = a AND (day <= today - (d->>'kept')::integer OR day > today);
      INSERT INTO @.day AS o (account, day, delivered, bytes, failures, longest_wait_ms)
        VALUES (a, today, (d->>'delivered')::bigint, (d->>'bytes')::bigint, (d->>'failures')::bigint, (d->>'longest')::bigint)
        ON CONFLICT (account, day) DO UPDATE SET delivered = o.delivered + excluded.delivered, bytes = o.bytes + excluded.bytes,
        failures = o.failures + excluded.failures, longest_wait_ms = greatest(o.longest_wait_ms, excluded.longest_wait_ms);
    END IF;`,
})

// 0: a wake came, and whoever claims the account answers it. It stays when a poll ends that had begun before.
const SCHEDULE = change({
  name: 'schedule',
  body: `UPDATE @.account SET next_poll_ms = greatest(1, now_ms + (x->>'delay')::bigint)
      WHERE id = a AND next_poll_ms IS DISTINCT FROM 0;`,
})

const REMOVE = change({
  name: 'remove',
  body: `IF EXISTS (SELECT 1 FROM @.message WHERE account = a) THEN
      RAISE EXCEPTION 'removing an account that has messages' USING ERRCODE = 'PF001'; END IF;
    DELETE FROM @.day WHERE account = a;
    DELETE FROM @.fact WHERE account = a;
    DELETE FROM @.account WHERE id = a;`,
})

const RENAME_PAUSE = `UPDATE @.pause p SET name = decode(x->>'to', 'base64') WHERE p.kind = KIND
      AND p.name = decode(x->>'from', 'base64') AND NOT EXISTS
      (SELECT 1 FROM @.pause q WHERE q.kind = p.kind AND q.name = decode(x->>'to', 'base64'));
    DELETE FROM @.pause p WHERE p.kind = KIND AND p.name = decode(x->>'from', 'base64');`

const RENAME = change({
  name: 'rename',
  variables: 'other integer;',
  body: `SELECT id INTO other FROM @.account WHERE name = decode(x->>'to', 'base64') FOR UPDATE;
    IF EXISTS (SELECT 1 FROM @.message WHERE account = other) THEN RETURN 0; END IF;
    DELETE FROM @.day WHERE account = other;
    DELETE FROM @.fact WHERE account = other;
    DELETE FROM @.account WHERE id = other;
    UPDATE @.account SET name = decode(x->>'to', 'base64') WHERE id = a;
    ${RENAME_PAUSE.replaceAll('KIND', "'account'")}
    n := 1;`,
})

const TOLD = change({
  name: 'told',
  body: `UPDATE @.account SET told_state = decode(x->>'state', 'base64'), told_ms = (x->>'at')::bigint
      WHERE name = decode(x->>'account', 'base64');`,
})

const WAKE = change({
  name: 'wake',
  body: `UPDATE @.account SET next_poll_ms = 0 WHERE name IN
      (SELECT decode(value, 'base64') FROM jsonb_array_elements_text(x->'accounts'));
    PERFORM pg_notify(x->>'channel', '');`,
})

// `messages`: for each its account, copy, UIDL, and the SHA-256 for which a UIDL may stand in a name.
const ABSOLVE = change({
  name: 'absolve',
  variables: 'i jsonb; at record;',
  body: `FOR i IN SELECT value FROM jsonb_array_elements(x->'messages') LOOP
      FOR at IN SELECT m.account, m.row FROM @.message m JOIN @.account c ON c.id = m.account
        WHERE c.name = decode(i->>'a', 'base64') AND m.state = 4 AND m.copy = (i->>'c')::integer
        AND (m.uidl = decode(i->>'u', 'base64') OR (length(i->>'h') = 64
          AND (m.uidl = decode(i->>'h', 'hex') OR length(m.uidl) > 70 AND sha256(m.uidl) = decode(i->>'h', 'hex')))) LOOP
        UPDATE @.delivery d SET state = 5, refusals = greatest(0, refusals - 1), retry_after_ms = 0
          WHERE d.account = at.account AND d.row = at.row AND d.state = 3
          AND (x->>'recipient' IS NULL OR d.recipient = decode(x->>'recipient', 'base64'))
          AND d.destination IN (SELECT decode(value, 'base64') FROM jsonb_array_elements_text(x->'destinations'));
        IF FOUND THEN
          UPDATE @.message m SET
            state = CASE WHEN EXISTS (SELECT 1 FROM @.delivery d WHERE d.account = m.account AND d.row = m.row AND d.state = 3)
              THEN 4 ELSE 0 END,
            retry_after_ms = coalesce((SELECT min(d.retry_after_ms) FROM @.delivery d
              WHERE d.account = m.account AND d.row = m.row AND d.state <> 2), 0)
            WHERE m.account = at.account AND m.row = at.row;
          UPDATE @.account SET mark_digest = NULL, mark_due_ms = NULL WHERE id = at.account AND mark_digest IS NOT NULL;
        END IF;
      END LOOP;
    END LOOP;`,
})

const RENAME_DESTINATION = change({
  name: 'rename_destination',
  body: `${RENAME_PAUSE.replaceAll('KIND', "'destination'")}
    UPDATE @.delivery d SET destination = decode(x->>'to', 'base64') WHERE d.destination = decode(x->>'from', 'base64')
      AND NOT EXISTS (SELECT 1 FROM @.delivery o WHERE o.account = d.account AND o.row = d.row
        AND o.destination = decode(x->>'to', 'base64') AND o.recipient = d.recipient);
    GET DIAGNOSTICS n = ROW_COUNT;`,
})

// Compared with what its caller read (\`was\`; null: nothing), and replaced only if it is that still. 1: it was.
const SWAP = (['destination', 'memo'] as const)
  .map((table) => {
    const column = table === 'memo' ? 'memo' : 'record'
    const keys = table === 'memo' ? ['name'] : ['key', 'recipient']
    const at = keys.map((name) => `${name} = decode(x->>'${name}', 'base64')`).join(' AND ')
    const values = keys.map((name) => `decode(x->>'${name}', 'base64')`).join(', ')
    return change({
      name: `swap_${table}`,
      body: `IF x->>'was' IS NULL THEN
      INSERT INTO @.${table} (${keys.join(', ')}, ${column}) VALUES (${values}, decode(x->>'now', 'base64'))
        ON CONFLICT DO NOTHING;
    ELSIF x->>'now' IS NULL THEN
      DELETE FROM @.${table} WHERE ${at} AND ${column} = decode(x->>'was', 'base64');
    ELSE
      UPDATE @.${table} SET ${column} = decode(x->>'now', 'base64') WHERE ${at} AND ${column} = decode(x->>'was', 'base64');
    END IF;
    GET DIAGNOSTICS n = ROW_COUNT;`,
    })
  })
  .join('\n')

const NOTE = change({
  name: 'note',
  variables: 'found_id integer;',
  body: `SELECT id INTO found_id FROM @.account WHERE name = decode(x->>'account', 'base64') FOR NO KEY UPDATE;
    IF FOUND THEN PERFORM @.merge_facts_1(found_id, x->'facts'); END IF;`,
})

const BEGIN_PAUSE = change({
  name: 'begin_pause',
  body: `DELETE FROM @.pause WHERE until_ms <= now_ms;
    INSERT INTO @.pause AS p (kind, name, by_whom, since_ms, until_ms)
      SELECT DISTINCT i->>'kind', decode(i->>'name', 'base64'), decode(x->>'by', 'base64'), now_ms, now_ms + (x->>'for')::bigint
      FROM jsonb_array_elements(x->'paused') i
      ON CONFLICT (kind, name) DO UPDATE SET by_whom = excluded.by_whom, until_ms = excluded.until_ms;`,
})

const END_PAUSE = change({
  name: 'end_pause',
  body: `DELETE FROM @.pause p USING jsonb_array_elements(x->'paused') i
      WHERE p.kind = i->>'kind' AND p.name = decode(i->>'name', 'base64');`,
})

const DROP_HEADINGS = change({
  name: 'drop_headings',
  body: `UPDATE @.message m SET sender = NULL, subject = NULL, date_ms = NULL
      WHERE m.account = (x->>'account')::integer AND m.row > (x->>'after')::integer AND m.row <= (x->>'until')::integer
      AND (m.sender IS NOT NULL OR m.subject IS NOT NULL OR m.date_ms IS NOT NULL)
      AND ((x->>'all')::boolean OR m.state IN (1, 2));`,
})

export const ACCOUNT_FUNCTIONS = [
  MERGE,
  START,
  TAKE_OVER,
  FINISH,
  SCHEDULE,
  REMOVE,
  RENAME,
  TOLD,
  WAKE,
  ABSOLVE,
  RENAME_DESTINATION,
  SWAP,
  NOTE,
  BEGIN_PAUSE,
  END_PAUSE,
  DROP_HEADINGS,
].join('\n')
