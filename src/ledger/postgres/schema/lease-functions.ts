// Who works on the ledger, and on what, as functions of the database. A process has a row in `worker`, a deadline by the database's
// clock, and an advisory lock of its session. It is dead once the deadline has passed, or the lock is free: then its row is removed,
// whereby all its leases end, and nothing that it may still send is recorded. Each of its statements has a number and is made once,
// however often a lost connection makes the process send it.

/** What a process does not renew for so long is over. */
export const LASTS_S = 25
/** A lock that is free says nothing of a process that was heard of just now: it may be connecting again. */
const HEARD_OF_S = 2
/** Nor while everybody connects again, after the database was started. */
const STARTED_S = 10

/** Of `c`, a row of account; rows/account.ts reads it. */
export const ACCOUNT = [
  'c.name, c.host, c.port, c.username, c.started, c.known, c.last_poll_ms, c.last_success_ms, c.failures, c.refusals',
  'c.secret_mark, c.paused_until_ms, c.error, c.told_state, c.told_ms, c.mark_digest, c.mark_due_ms, c.taking_over',
  "(SELECT string_agg(encode(f.name, 'hex') || ' ' || encode(f.value, 'hex'), ',') FROM @.fact f WHERE f.account = c.id)",
].join(', ')

/** What a person wants left alone, as one text: rows/pauses.ts reads it. `p` is a row of pause. */
const PAUSES = `string_agg(p.kind || ' ' || encode(p.name, 'hex') || ' ' || encode(p.by_whom, 'hex') || ' ' || p.since_ms || ' '
  || coalesce(p.until_ms::text, ''), ',' ORDER BY p.kind, p.name) FROM @.pause p WHERE (p.until_ms IS NULL OR p.until_ms > now_ms)`

const NOW = 'coalesce(given_ms, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)'

const IS_DEAD = `CREATE FUNCTION @.is_dead_1(session_lock bigint, renewed timestamptz, alive_until timestamptz) RETURNS boolean
  LANGUAGE plpgsql AS $function$ BEGIN
    IF alive_until < clock_timestamp() THEN RETURN true; END IF;
    IF renewed > clock_timestamp() - interval '${HEARD_OF_S} seconds'
      OR pg_postmaster_start_time() > clock_timestamp() - interval '${STARTED_S} seconds' THEN RETURN false; END IF;
    RETURN pg_try_advisory_xact_lock_shared(session_lock);
  END $function$;`

// One that is at it just now is alive: its row is locked.
const BURY = `CREATE FUNCTION @.bury_1(me integer) RETURNS void LANGUAGE plpgsql AS $function$
  DECLARE w record; BEGIN
    FOR w IN SELECT id, session_lock, renewed, alive_until FROM @.worker WHERE id <> me ORDER BY id FOR UPDATE SKIP LOCKED LOOP
      IF @.is_dead_1(w.session_lock, w.renewed, w.alive_until) THEN
        DELETE FROM @.lease WHERE worker = w.id;
        DELETE FROM @.share WHERE worker = w.id;
        DELETE FROM @.worker WHERE id = w.id;
      END IF;
    END LOOP;
  END $function$;`

// True: go on. False: this batch was made before. Null: the process was given up as dead, or a later batch was made already.
const RENEW = `CREATE FUNCTION @.renew_1(me integer, number bigint) RETURNS boolean LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE made bigint; BEGIN
    UPDATE @.worker SET renewed = clock_timestamp(), alive_until = clock_timestamp() + interval '${LASTS_S} seconds'
      WHERE id = me RETURNING batch INTO made;
    IF NOT FOUND OR made > number THEN RETURN NULL; END IF;
    RETURN made < number;
  END $function$;`

/** Since this step, what is paused comes with the lease, so that a poll need not ask for it. */
const TELLS_PAUSES = 3

// `asks`: for each account its name, what it uses (key and how many shares there are), whether it must be due within a time, and
// whether it is a lease alone: that needs no share, and answers no wake. What an answer that was lost had refused is refused as held.
const claim = (
  tellsPauses: boolean,
): string => `CREATE FUNCTION @.claim_1(me integer, number bigint, given_ms bigint, asks jsonb) RETURNS SETOF record
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE
    go_on boolean; ask jsonb; u jsonb; wanted bytea; next_ms bigint; within bigint; is_crowded boolean;
    refused jsonb := '{}'; now_ms bigint := ${NOW};${tellsPauses ? ' paused text;' : ''}
  BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM @.usable_1();
    go_on := @.renew_1(me, number);
    IF go_on IS NULL THEN RAISE EXCEPTION 'given up as dead' USING ERRCODE = 'PF002'; END IF;
    IF go_on THEN
      PERFORM @.bury_1(me);
      -- Who counts shares of the same thing waits for the others, who lock in the same order.
      INSERT INTO @.used (key) SELECT DISTINCT decode(e.u->>'k', 'base64') AS key
        FROM jsonb_array_elements(asks) a, LATERAL jsonb_array_elements(a->'u') AS e (u) ORDER BY key ON CONFLICT DO NOTHING;
      PERFORM 1 FROM @.used k WHERE k.key IN (SELECT decode(e.u->>'k', 'base64')
        FROM jsonb_array_elements(asks) a, LATERAL jsonb_array_elements(a->'u') AS e (u)) ORDER BY k.key FOR UPDATE;
      FOR ask IN SELECT value FROM jsonb_array_elements(asks) LOOP
        wanted := decode(ask->>'a', 'base64');
        within := (ask->>'w')::bigint;
        next_ms := coalesce((SELECT c.next_poll_ms FROM @.account c WHERE c.name = wanted), 0) - now_ms;
        IF within IS NOT NULL AND next_ms > 0 AND next_ms <= within THEN
          refused := refused || jsonb_build_object(ask->>'a', next_ms);
          CONTINUE;
        END IF;
        INSERT INTO @.lease AS l (account, worker, token, batch) VALUES (wanted, me, nextval('@.token'), number)
          ON CONFLICT (account) DO UPDATE SET worker = me, token = excluded.token, batch = number, woken = false
          WHERE l.worker = me OR NOT EXISTS (SELECT 1 FROM @.worker w WHERE w.id = l.worker);
        IF NOT FOUND THEN CONTINUE; END IF;
        -- Looked at again: whoever had the account may have given it back with a new time just now.
        next_ms := coalesce((SELECT c.next_poll_ms FROM @.account c WHERE c.name = wanted), 0) - now_ms;
        is_crowded := false;
        FOR u IN SELECT value FROM jsonb_array_elements(ask->'u') LOOP
          is_crowded := is_crowded OR (u->>'m')::integer <= (SELECT count(*) FROM @.share s JOIN @.worker w ON w.id = s.worker
            WHERE s.key = decode(u->>'k', 'base64') AND s.account <> wanted);
        END LOOP;
        IF is_crowded OR within IS NOT NULL AND next_ms > 0 AND next_ms <= within THEN
          DELETE FROM @.lease WHERE account = wanted;
          refused := refused || jsonb_build_object(ask->>'a', CASE WHEN is_crowded THEN -1 ELSE next_ms END);
          CONTINUE;
        END IF;
        DELETE FROM @.share WHERE account = wanted;
        INSERT INTO @.share (key, account, worker)
          SELECT DISTINCT decode(value->>'k', 'base64'), wanted, me FROM jsonb_array_elements(ask->'u');
        IF NOT (ask->>'l')::boolean THEN
          UPDATE @.account SET next_poll_ms = now_ms WHERE name = wanted AND next_poll_ms = 0;
          IF FOUND THEN UPDATE @.lease SET woken = true WHERE account = wanted; END IF;
        END IF;
      END LOOP;
      UPDATE @.worker SET batch = number WHERE id = me;
    END IF;
    ${tellsPauses ? `SELECT ${PAUSES} AND p.kind = 'destination' INTO paused;` : ''}
    RETURN QUERY SELECT decode(a->>'a', 'base64'), l.token, l.woken, (refused->>(a->>'a'))::bigint,
      ${tellsPauses ? `concat_ws(',', (SELECT ${PAUSES} AND p.kind = 'account' AND p.name = l.account), paused),` : ''} ${ACCOUNT}
      FROM jsonb_array_elements(asks) a
      LEFT JOIN @.lease l ON l.account = decode(a->>'a', 'base64') AND l.worker = me AND l.batch = number
      LEFT JOIN @.account c ON c.name = l.account;
  END $function$;`

// Refuses a ledger that was copied away, or that a newer popfetch has changed so that this one would misread it.
const USABLE = `CREATE FUNCTION @.usable_1() RETURNS void LANGUAGE plpgsql AS $function$
  DECLARE l record; BEGIN
    SELECT * INTO l FROM @.ledger;
    IF l.moved_to IS NOT NULL THEN RAISE EXCEPTION '%', encode(l.moved_to, 'base64') USING ERRCODE = 'PF003'; END IF;
    IF l.oldest > KNOWN THEN RAISE EXCEPTION '%', l.version USING ERRCODE = 'PF004'; END IF;
  END $function$;`

/** `known`: the steps that a process knows which calls these. */
export function leaseFunctions(known: number): string {
  return [usable(known), IS_DEAD, BURY, RENEW, claim(false)].join('\n')
}

function usable(known: number): string {
  return USABLE.replace('KNOWN', String(known))
}

/** What a process calls that knows so many steps: with each step these have another number, which is its own. */
export function entrances(known: number, batch: string): string {
  return [usable(known), claim(known >= TELLS_PAUSES), batch]
    .join('\n')
    .replaceAll(/@\.(usable|claim|batch)_1\b/g, `@.$1_${known}`)
}
