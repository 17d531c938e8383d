// The one statement that changes the ledger: a batch of what many callers want, one round trip and one commit for all (group
// commit). `groups` has the changes of each lease together, so that each account is looked at and locked once.

// Those that make messages known, by the name of their function: they give how many were new.
const ADDING = [
  'begin',
  'settle',
  'hand_over',
  'abandon',
  'see',
  'hold',
  'deleted',
  'note_deletion',
  'note_harm',
  'note_heading',
  'note_header',
  'returned',
  'restart_age',
  'adopt',
  'confirm',
  'rekey',
] as const
const REMOVING = ['gone', 'forget_absent', 'forget_keys', 'forget_some'] as const
// Where a message is not what it was, the mark of the listing says nothing more; `finish` leaves the next one.
const UNMARKING = [...ADDING, ...REMOVING, 'retry', 'rename', 'take_over'] as const
const OTHER = [
  'start',
  'take_over',
  'finish',
  'schedule',
  'remove',
  'rename',
  'retry',
  'told',
  'wake',
  'absolve',
  'rename_destination',
  'swap_destination',
  'swap_memo',
  'note',
  'begin_pause',
  'end_pause',
  'drop_headings',
] as const

/** What a change does, by the name of the database's function. */
export type Operation =
  | (typeof ADDING)[number]
  | (typeof REMOVING)[number]
  | (typeof OTHER)[number]
  | 'admit'
  | 'release'
  | 'join'
  | 'merge_facts'

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ')

// A change is a list of operations, and gives what its last one gives; -1: its lease is lost, and nothing was done. An account
// that is not known is no account to work on.
export const BATCH = `CREATE FUNCTION @.batch_1(me integer, number bigint, given_ms bigint, keep text, lasting boolean,
    groups jsonb) RETURNS bigint[]
  LANGUAGE plpgsql AS $function$
  #variable_conflict use_column
  DECLARE
    go_on boolean; g jsonb; c jsonb; o jsonb; what text; x jsonb; given bigint[] := '{}'; n bigint;
    owner bytea; a integer; last integer; first_row integer; grown integer; unmark boolean;
    now_ms bigint := coalesce(given_ms, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  BEGIN
    IF NOT lasting THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
    PERFORM @.usable_1();
    go_on := @.renew_1(me, number);
    IF go_on IS NULL THEN RAISE EXCEPTION 'given up as dead' USING ERRCODE = 'PF002'; END IF;
    IF NOT go_on THEN
      SELECT results INTO given FROM @.worker WHERE id = me;
      RETURN given;
    END IF;
    FOR g IN SELECT value FROM jsonb_array_elements(groups) LOOP
      owner := decode(g->>'a', 'base64');
      a := NULL; last := 0; grown := 0; unmark := false;
      IF owner IS NOT NULL THEN
        PERFORM 1 FROM @.lease l WHERE l.account = owner AND l.token = (g->>'t')::bigint AND l.worker = me;
        IF NOT FOUND THEN
          given := given || array_fill(-1::bigint, ARRAY[jsonb_array_length(g->'c')]);
          CONTINUE;
        END IF;
        SELECT id, last_row INTO a, last FROM @.account WHERE name = owner FOR NO KEY UPDATE;
      END IF;
      first_row := last;
      FOR c IN SELECT value FROM jsonb_array_elements(g->'c') LOOP
        n := 0;
        FOR o IN SELECT value FROM jsonb_array_elements(c) LOOP
          what := o->>0;
          x := o->1;
          IF owner IS NOT NULL AND a IS NULL AND what NOT IN ('admit', 'release', 'schedule') THEN
            RAISE EXCEPTION 'an account that was never made known' USING ERRCODE = 'PF001';
          END IF;
          CASE what
          ${ADDING.map((name) => `WHEN '${name}' THEN n := @.${name}_1(a, last, x, now_ms, keep); last := last + n::integer; grown := grown + n::integer;`).join('\n          ')}
          ${REMOVING.map((name) => `WHEN '${name}' THEN n := @.${name}_1(a, x, now_ms); grown := grown - n::integer;`).join('\n          ')}
          ${OTHER.map((name) => `WHEN '${name}' THEN n := @.${name}_1(a, x, now_ms);`).join('\n          ')}
          WHEN 'merge_facts' THEN PERFORM @.merge_facts_1(a, x);
          WHEN 'release' THEN
            DELETE FROM @.share s WHERE s.account = owner;
            DELETE FROM @.lease l WHERE l.account = owner AND l.token = (g->>'t')::bigint;
          WHEN 'join' THEN
            UPDATE @.worker SET machine = decode(x->>'machine', 'base64'), program = decode(x->>'program', 'base64'),
              since_ms = coalesce((x->>'since')::bigint, since_ms, now_ms) WHERE id = me RETURNING since_ms INTO n;
          WHEN 'admit' THEN
            IF a IS NULL THEN
              INSERT INTO @.account (name, host, port, username)
                VALUES (owner, decode(x->>'host', 'base64'), (x->>'port')::integer, decode(x->>'user', 'base64'))
                ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, last_row INTO a, last;
              first_row := last;
            END IF;
          END CASE;
          unmark := what <> 'finish' AND (unmark OR what IN (${quoted(UNMARKING)}));
        END LOOP;
        given := given || n;
      END LOOP;
      IF last <> first_row OR grown <> 0 THEN
        UPDATE @.account SET known = known + grown, last_row = last WHERE id = a;
      END IF;
      IF unmark THEN
        UPDATE @.account SET mark_digest = NULL, mark_due_ms = NULL WHERE id = a AND mark_digest IS NOT NULL;
      END IF;
    END LOOP;
    UPDATE @.worker SET batch = number, results = given WHERE id = me;
    RETURN given;
  END $function$;`
