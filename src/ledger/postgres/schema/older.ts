// A ledger that an older popfetch has made, to be read as it is: `status` and `state` look into it before the first poll of this
// version, and beside a daemon of the older one. The schema is not touched. In the temporary schema of the session, which ends with
// it, stands what this version knows: its functions, and a view for each of its tables, in which a missing column has its default and
// a missing table is empty. Nothing is converted, so what a step would have worked out from old columns has its default here.
import type { Connection } from '../connection/connection.ts'
import { olderLedger, Refused } from '../connection/server.ts'
import type { Step } from './migrations.ts'

/** The session's own schema, by the name that PostgreSQL knows it by in every session. */
export const TEMPORARY = 'pg_temp'

const LIMIT_MS = 10_000

/** Once for each connection, before its first statement. Rejects with Lost, with Refused, and with ERR_LEDGER where the user may make
 *  nothing temporary. `schema`: where the older ledger is. */
export async function fillIn(
  connection: Connection,
  { schema, place, steps }: { readonly schema: string; readonly place: string; readonly steps: readonly Step[] },
): Promise<void> {
  const made = steps.map(({ sql }) => `EXECUTE $step$${sql.replaceAll('@.', `${TEMPORARY}.`)}$step$;`)
  try {
    await connection.script(
      `DO $fill$ DECLARE wanted record; present regclass; shown text; BEGIN
        ${made.join('\n')}
        FOR wanted IN SELECT oid, relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' LOOP
          present := to_regclass(format('%I.%I', '${schema}', wanted.relname));
          SELECT string_agg(format('%s AS %I', CASE WHEN old.attname IS NOT NULL THEN format('t.%I', a.attname)
              ELSE format('(%s)::%s', coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL'), format_type(a.atttypid, a.atttypmod)) END,
              a.attname), ', ' ORDER BY a.attnum) INTO shown
            FROM pg_attribute a
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            LEFT JOIN pg_attribute old ON old.attrelid = present AND old.attname = a.attname AND NOT old.attisdropped
            WHERE a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped;
          EXECUTE format('DROP TABLE ${TEMPORARY}.%I CASCADE', wanted.relname);
          EXECUTE format('CREATE VIEW ${TEMPORARY}.%I AS SELECT %s %s', wanted.relname, shown,
            CASE WHEN present IS NULL THEN 'WHERE false' ELSE format('FROM %I.%I t', '${schema}', wanted.relname) END);
        END LOOP;
      END $fill$`,
      LIMIT_MS,
    )
  } catch (thrown) {
    if (thrown instanceof Refused && thrown.sqlState === '42501') throw olderLedger(place)
    throw thrown
  }
}
